// SPDX-License-Identifier: MIT
#include "shared_memory/shared_block.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/platform.h"
#include "semaphores/family.h"
#include "shared_memory/shared_file.h"
#include "util/steps.h"

namespace mp {

namespace {

int OpenShared(const std::string& name, int flags, UniqueFd* out) {
  out->Reset(sys::RetryOnInterrupt(
      [&] { return ::shm_open(name.c_str(), flags | O_RDWR | O_CLOEXEC, 0600); }));
  // A standard stream that is closed gives its number to the next file that is opened.
  if (*out && out->get() <= STDERR_FILENO) out->Reset(sys::Duplicate(out->get()));
  return *out ? 0 : out->get();
}

// Where a file cannot be made without a name: the name exists for a moment before it is registered.
int CreateByName(Family& family, const Resource& resource, off_t size, UniqueFd* out) {
  int status = OpenShared(resource.second, O_CREAT | O_EXCL, out);
  if (status < 0) return status;
  status = platform::AllocateFile(out->get(), size);
  if (status >= 0) status = family.AddResource(resource);
  if (status < 0) ::shm_unlink(resource.second.c_str());
  return status;
}

// Repeats a copy until all bytes are copied.
template <typename Move>
int MoveAll(size_t size, Move move) noexcept {
  for (size_t done = 0; done < size;) {
    const ssize_t n = sys::RetryOnInterrupt([&] { return move(done); });
    if (n <= 0) return n < 0 ? static_cast<int>(n) : -EPROTO;
    done += static_cast<size_t>(n);
  }
  return 0;
}

}  // namespace

SharedMapping::SharedMapping(void* address, size_t size)
    : address_(address), size_(size), guard_(new GuardedMapping(address, size)) {}

SharedMapping::~SharedMapping() {
  guard_.reset();
  ::munmap(address_, size_);
}

int SharedMapping::Map(int fd, size_t size, std::shared_ptr<SharedMapping>* out) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -errno;
  out->reset(new SharedMapping(memory, size));
  return 0;
}

int SharedBlock::Over(UniqueFd* fd, std::unique_ptr<SharedBlock>* out) {
  struct stat info {};
  int status = platform::FileStatus(fd->get(), &info);
  std::shared_ptr<SharedMapping> mapping;
  if (status >= 0)
    status = SharedMapping::Map(fd->get(), static_cast<size_t>(info.st_size), &mapping);
  if (status >= 0) out->reset(new SharedBlock(std::move(*fd), std::move(mapping)));
  return status;
}

int SharedBlock::Create(const std::string& name, size_t size, std::unique_ptr<SharedBlock>* out) {
  const Resource resource{ResourceKind::kSharedMemory, name};
  std::shared_ptr<Family> family;
  int status = Family::Own(&family);
  if (status < 0) return status;
  const auto bytes = static_cast<off_t>(size);
  UniqueFd fd(platform::MakeSharedFile(bytes));
  status = fd.get();
  if (fd) {
    status = family->AddResource(resource, fd.get());
    Step();
    if (status >= 0) status = platform::NameSharedFile(fd.get(), name);
    if (status < 0) family->RemoveResource(resource);
  }
  if (status == -ENOSYS) status = CreateByName(*family, resource, bytes, &fd);
  if (status < 0) return status;
  Step();
  status = Over(&fd, out);
  if (status < 0) (void)Unlink(name);
  return status;
}

int SharedBlock::CreateUnnamed(size_t size, std::unique_ptr<SharedBlock>* out) {
  UniqueFd fd(platform::MakeMemoryFile("mp-shared", static_cast<off_t>(size)));
  return fd ? Over(&fd, out) : fd.get();
}

int SharedBlock::CreateGrowing(size_t size, std::unique_ptr<SharedBlock>* out) {
  UniqueFd fd(platform::MakeGrowingFile(static_cast<off_t>(size)));
  return fd ? Over(&fd, out) : fd.get();
}

int SharedBlock::Read(void* into, size_t size, off_t at) const noexcept {
  return MoveAll(size, [&](size_t done) {
    return ::pread(fd_.get(), static_cast<char*>(into) + done, size - done,
                   at + static_cast<off_t>(done));
  });
}

int SharedBlock::Write(const void* from, size_t size, off_t at) const noexcept {
  return MoveAll(size, [&](size_t done) {
    return ::pwrite(fd_.get(), static_cast<const char*>(from) + done, size - done,
                    at + static_cast<off_t>(done));
  });
}

int SharedBlock::Shrink() const noexcept {
  return ::ftruncate(fd_.get(), static_cast<off_t>(mapping_->size())) < 0 ? -errno : 0;
}

int SharedBlock::Open(const std::string& name, std::unique_ptr<SharedBlock>* out) {
  UniqueFd fd;
  const int status = OpenShared(name, 0, &fd);
  return status < 0 ? status : Over(&fd, out);
}

int SharedBlock::Adopt(UniqueFd fd, std::unique_ptr<SharedBlock>* out) {
  int status = sys::SetCloseOnExec(fd.get());
  if (status >= 0) status = Over(&fd, out);
  if (status < 0) (void)fd.Release();
  return status;
}

int SharedBlock::Unlink(const std::string& name) {
  if (::shm_unlink(name.c_str()) < 0) return -errno;
  const std::shared_ptr<Family> family = Family::OwnIfAny();
  if (family) family->RemoveResource({ResourceKind::kSharedMemory, name});
  return 0;
}

}  // namespace mp
