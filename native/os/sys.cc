// SPDX-License-Identifier: MIT
#include "os/sys.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>

namespace mp::sys {

void Close(int fd) noexcept { ::close(fd); }

int SetCloseOnExec(int fd) noexcept {
  const int flags = RetryOnInterrupt([fd] { return ::fcntl(fd, F_GETFD); });
  if (flags < 0) return flags;
  if ((flags & FD_CLOEXEC) != 0) return 0;
  return RetryOnInterrupt([fd, flags] { return ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC); });
}

int Duplicate(int fd) noexcept {
  // 3 as the lowest number: a copy must never take the number of a closed standard stream.
  return RetryOnInterrupt([fd] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); });
}

void Replace(int fd, int by) noexcept {
  (void)RetryOnInterrupt([=] { return ::dup2(by, fd); });
  (void)SetCloseOnExec(fd);
}

ssize_t Readv(int fd, const iovec* iov, int count) noexcept {
  return RetryOnInterrupt([=] { return ::readv(fd, iov, count); });
}

ssize_t Writev(int fd, const iovec* iov, int count) noexcept {
  return RetryOnInterrupt([=] { return ::writev(fd, iov, count); });
}

int Poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept {
  const int ready = ::poll(fds, count, timeout_ms);
  return ready < 0 ? -errno : ready;
}

bool IsReady(int fd, short events) noexcept {
  pollfd wanted{fd, events, 0};
  return RetryOnInterrupt([&] { return ::poll(&wanted, 1, 0); }) > 0;
}

#ifdef F_SETSIG
namespace {
// Ignored by default, if ever it should be sent.
constexpr int kLastCopy = SIGURG;
}  // namespace

void MarkLastCopy(int fd, bool on) noexcept {
  (void)RetryOnInterrupt([=] { return ::fcntl(fd, F_SETSIG, on ? kLastCopy : 0); });
}

bool IsMarkedLastCopy(int fd) noexcept {
  return RetryOnInterrupt([fd] { return ::fcntl(fd, F_GETSIG); }) == kLastCopy;
}
#else
void MarkLastCopy(int, bool) noexcept {}
bool IsMarkedLastCopy(int) noexcept { return false; }
#endif

int BytesReadable(int fd) noexcept {
  int bytes = 0;
  const int status = RetryOnInterrupt([&] { return ::ioctl(fd, FIONREAD, &bytes); });
  return status < 0 ? status : bytes;
}

}  // namespace mp::sys
