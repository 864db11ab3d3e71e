// SPDX-License-Identifier: MIT
#include "registers/family_register.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "os/platform.h"
#include "os/sys.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"

namespace mp {

namespace {

constexpr int kMaxTries = 100;

// musl and glibc lay out semaphores differently, so a family's name tells which of them it uses.
#if defined(__linux__) && !defined(__GLIBC__)
constexpr const char* kLibraryPrefix = "m";
#else
constexpr const char* kLibraryPrefix = "";
#endif

// Takes the shared lock of a register. -ENOENT or -ESTALE if the register is no longer the one at
// its path: the process that had the exclusive lock before has removed it.
int LockShared(int folder, const std::string& family, int fd) {
  const int status = sys::RetryOnInterrupt([=] { return ::flock(fd, LOCK_SH); });
  return status < 0 ? status : register_file::CheckPath(folder, family, fd);
}

bool IsReplaced(int status) noexcept { return status == -ENOENT || status == -ESTALE; }

}  // namespace

FamilyRegister::FamilyRegister(const std::string& folder, const std::string& family, UniqueFd lock)
    : folder_(folder), family_(family), lock_(std::move(lock)) {}

FamilyRegister::~FamilyRegister() { Leave(); }

int FamilyRegister::Create(const std::string& folder, std::unique_ptr<FamilyRegister>* out) {
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return -errno;
  UniqueFd opened;
  int status = register_file::OpenFolder(folder, &opened);
  if (status < 0) return status;
  for (int i = 0; i < kMaxTries; i++) {
    std::string family = kLibraryPrefix;
    status = register_file::AppendRandom(&family);
    if (status < 0) return status;
    UniqueFd lock;
    status = register_file::Open(opened.get(), family, O_RDONLY | O_CREAT | O_EXCL, &lock);
    if (status == -EEXIST) continue;
    // A sweep may have removed the register before it was locked.
    if (status == 0) status = Enter(folder, opened.get(), family, std::move(lock), out);
    if (!IsReplaced(status)) return status;
  }
  return -EAGAIN;
}

int FamilyRegister::Join(const std::string& folder, const std::string& family,
                         std::unique_ptr<FamilyRegister>* out) {
  if (!register_file::IsFamily(family)) return -EINVAL;
  UniqueFd opened;
  int status = register_file::OpenFolder(folder, &opened);
  if (status < 0) return status;
  for (int i = 0; i < kMaxTries; i++) {
    UniqueFd lock;
    status = register_file::Open(opened.get(), family, O_RDONLY, &lock);
    if (status < 0) return status;
    status = Enter(folder, opened.get(), family, std::move(lock), out);
    if (!IsReplaced(status)) return status;
  }
  return -EAGAIN;
}

int FamilyRegister::Adopt(const std::string& folder, const std::string& family, UniqueFd fd,
                          std::unique_ptr<FamilyRegister>* out) {
  UniqueFd opened;
  int status =
      register_file::IsFamily(family) ? register_file::OpenFolder(folder, &opened) : -EINVAL;
  if (status == 0) status = register_file::CheckPath(opened.get(), family, fd.get());
  if (status == 0) status = register_file::Check(fd.get());
  if (status == 0) status = sys::SetCloseOnExec(fd.get());
  if (status < 0) {
    (void)fd.Release();
    return status;
  }
  std::unique_ptr<FamilyRegister> made(new FamilyRegister(folder, family, std::move(fd)));
  status = made->OpenOwnDescriptors(opened.get());
  if (status == 0) *out = std::move(made);
  return status;
}

// -ENOENT or -ESTALE if the register was removed before it could be locked.
int FamilyRegister::Enter(const std::string& folder, int opened, const std::string& family,
                          UniqueFd lock, std::unique_ptr<FamilyRegister>* out) {
  int status = LockShared(opened, family, lock.get());
  if (status < 0) return status;
  std::unique_ptr<FamilyRegister> made(new FamilyRegister(folder, family, std::move(lock)));
  status = made->OpenOwnDescriptors(opened);
  if (status == 0) *out = std::move(made);
  return status;
}

int FamilyRegister::OpenOwnDescriptors(int folder) {
  int status = register_file::Open(folder, family_, O_WRONLY | O_APPEND, &append_);
  if (status == 0) status = register_file::CheckSame(append_.get(), lock_.get());
  if (status == 0) status = register_file::Open(folder, family_, O_WRONLY, &rewrite_);
  if (status == 0) status = register_file::CheckSame(rewrite_.get(), lock_.get());
  return status;
}

bool FamilyRegister::IsCurrent() const {
  UniqueFd folder;
  int status = register_file::OpenFolder(folder_, &folder);
  if (status == 0) status = register_file::CheckPath(folder.get(), family_, lock_.get());
  return !IsReplaced(status);
}

std::string FamilyRegister::NameOf(uint32_t n) const {
  return register_file::SemaphoreName(family_, n);
}

std::string FamilyRegister::HoldersPath() const {
  return folder_ + "/" + register_file::HoldersFile(family_);
}

int FamilyRegister::WriteLine(off_t offset, const std::string& line) const noexcept {
  const ssize_t n = sys::RetryOnInterrupt(
      [&] { return ::pwrite(rewrite_.get(), line.data(), line.size(), offset); });
  if (n < 0) return static_cast<int>(n);
  return static_cast<size_t>(n) == line.size() ? 0 : -EIO;
}

int FamilyRegister::AppendLine(const std::string& line, off_t* offset) const noexcept {
  const ssize_t written =
      sys::RetryOnInterrupt([&] { return ::write(append_.get(), line.data(), line.size()); });
  if (written < 0) return static_cast<int>(written);
  if (static_cast<size_t>(written) < line.size()) return -ENOSPC;
  const off_t end = ::lseek(append_.get(), 0, SEEK_CUR);
  if (end < 0) return -errno;
  *offset = end - static_cast<off_t>(line.size());
  return 0;
}

int FamilyRegister::AddName(uint32_t n, const std::string& label) {
  const std::lock_guard guard(mutex_);
  if (!lock_) return -EBADF;
  if (lines_.contains(n)) return 0;
  const std::string name = NameOf(n);
  const bool fits = name.size() + 1 + label.size() < register_file::kLineBytes;
  const std::string line = register_file::FormatLine(fits ? name + ' ' + label : name);
  if (!free_.empty()) {
    const int status = WriteLine(free_.back(), line);
    if (status < 0) return status;
    lines_[n] = free_.back();
    free_.pop_back();
    return 0;
  }
  off_t offset = 0;
  const int status = AppendLine(line, &offset);
  if (status == 0) lines_[n] = offset;
  return status;
}

void FamilyRegister::RemoveName(uint32_t n) {
  const std::lock_guard guard(mutex_);
  const auto line = lines_.find(n);
  if (!lock_ || line == lines_.end()) return;
  // If that fails, the name stays registered, which does no harm.
  if (WriteLine(line->second, register_file::FormatLine("")) < 0) return;
  free_.push_back(line->second);
  lines_.erase(line);
}

int FamilyRegister::AddResource(const Resource& resource, int fd) {
  const std::lock_guard guard(mutex_);
  if (!lock_) return -EBADF;
  struct stat info {};
  int status = fd < 0 ? 0 : platform::FileStatus(fd, &info);
  if (status < 0) return status;
  const std::string line = FormatResource(resource, info.st_ino);
  if (line.empty()) return 0;
  // Another process may have removed what had the name before.
  const auto known = resource_lines_.find(resource);
  if (known != resource_lines_.end()) return WriteLine(known->second, line);
  const bool reuse = !free_resource_lines_.empty();
  off_t offset = reuse ? free_resource_lines_.back() : 0;
  status = reuse ? WriteLine(offset, line) : AppendLine(line, &offset);
  if (status < 0) return status;
  if (reuse) free_resource_lines_.pop_back();
  resource_lines_[resource] = offset;
  return 0;
}

void FamilyRegister::RemoveResource(const Resource& resource) {
  const std::lock_guard guard(mutex_);
  const auto line = resource_lines_.find(resource);
  if (!lock_ || line == resource_lines_.end()) return;
  const std::string blank = std::string(kResourceLineBytes - 1, ' ') + '\n';
  // If that fails, the line stays, which does no harm, since its inode is gone.
  if (WriteLine(line->second, blank) == 0) free_resource_lines_.push_back(line->second);
  resource_lines_.erase(line);
}

bool FamilyRegister::Leave() {
  const std::lock_guard guard(mutex_);
  if (!lock_) return false;
  lock_.Reset();
  append_.Reset();
  rewrite_.Reset();
  UniqueFd opened;
  return register_file::OpenFolder(folder_, &opened) == 0 &&
         RemoveIfDeserted(opened.get(), family_) >= 0;
}

}  // namespace mp
