// SPDX-License-Identifier: MIT
#include "registers/family_block.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/platform.h"
#include "os/unique_fd.h"
#include "registers/register_file.h"

namespace mp {

FamilyBlock::FamilyBlock(void* address, size_t size)
    : address_(address), size_(size), mapping_(new GuardedMapping(address, size)) {}

FamilyBlock::~FamilyBlock() {
  mapping_.reset();
  ::munmap(address_, size_);
}

int FamilyBlock::Open(const std::string& folder, const std::string& file, size_t size, bool create,
                      std::shared_ptr<FamilyBlock>* out) {
  UniqueFd opened;
  UniqueFd fd;
  int status = register_file::OpenFolder(folder, &opened);
  const int flags = O_RDWR | (create ? O_CREAT | O_EXCL : 0);
  if (status == 0) status = register_file::Open(opened.get(), file, flags, &fd);
  if (status < 0) return status;
  struct stat info {};
  // Without a reservation, a full file system would raise SIGBUS at the first use.
  if (create) status = platform::AllocateFile(fd.get(), static_cast<off_t>(size));
  if (status == 0) status = platform::FileStatus(fd.get(), &info);
  if (status == 0 && info.st_size < static_cast<off_t>(size)) status = -EIO;
  void* memory = MAP_FAILED;
  if (status == 0) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) status = -errno;
  }
  if (status < 0) {
    if (create) ::unlinkat(opened.get(), file.c_str(), 0);
    return status;
  }
  out->reset(new FamilyBlock(memory, size));
  return 0;
}

void FamilyBlock::Remove(const std::string& folder, const std::string& file) noexcept {
  // Nothing is opened, so a process without a free descriptor leaves no file. The folder was
  // checked when the family was made or joined, and no other user can put another one in its place.
  ::unlink((folder + '/' + file).c_str());
}

}  // namespace mp
