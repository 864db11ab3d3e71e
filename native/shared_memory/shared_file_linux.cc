// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/platform.h"
#include "os/sys.h"
#include "os/unique_fd.h"
#include "shared_memory/shared_file.h"

namespace mp::platform {

namespace {

// Where glibc and musl have the files.
constexpr const char* kFolder = "/dev/shm";

}  // namespace

int MakeSharedFile(off_t size) noexcept {
  UniqueFd fd(
      sys::RetryOnInterrupt([] { return ::open(kFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }));
  // What a file system without such files answers, and an old kernel.
  if (fd.get() == -EOPNOTSUPP || fd.get() == -EISDIR || sys::IsRefused(fd.get())) return -ENOSYS;
  if (!fd) return fd.get();
  if (fd.get() <= STDERR_FILENO) fd.Reset(sys::Duplicate(fd.get()));
  const int status = fd ? AllocateFile(fd.get(), size) : fd.get();
  return status < 0 ? status : fd.Release();
}

int NameSharedFile(int fd, const std::string& name) noexcept {
  const std::string from = "/proc/self/fd/" + std::to_string(fd);
  const std::string to = kFolder + name;
  if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0) return 0;
  // Without /proc, or where a filter refuses the call.
  return errno == ENOENT || sys::IsRefused(-errno) ? -ENOSYS : -errno;
}

void EmptyFile(int fd, off_t offset) noexcept {
  struct stat info {};
  if (FileStatus(fd, &info) < 0 || info.st_size <= offset) return;
  (void)::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, info.st_size - offset);
}

int MakeGrowingFile(off_t size) noexcept {
  // Writing beyond a limit on files (ulimit -f) would raise SIGXFSZ.
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY) return -EFBIG;
  UniqueFd fd(::memfd_create("mp-arrays", MFD_CLOEXEC));
  if (!fd) return -errno;
  if (fd.get() <= STDERR_FILENO) fd.Reset(sys::Duplicate(fd.get()));
  const int status = fd ? AllocateFile(fd.get(), size) : fd.get();
  return status < 0 ? status : fd.Release();
}

}  // namespace mp::platform
