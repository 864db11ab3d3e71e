// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "platform.h"
#include "sys.h"
#include "unique_fd.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

namespace mp::platform {

namespace {

// A process may have been started with a standard stream closed; a pipe must not take its place,
// since libuv and child processes treat the numbers 0 to 2 specially.
int LiftAboveStandardStreams(int fds[2]) noexcept {
  UniqueFd ends[2] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  for (UniqueFd& end : ends) {
    if (end.get() > STDERR_FILENO) continue;
    const int lifted = sys::Duplicate(end.get());
    if (lifted < 0) return lifted;
    end.Reset(lifted);
  }
  fds[0] = ends[0].Release();
  fds[1] = ends[1].Release();
  return 0;
}

}  // namespace

int MakePipe(int fds[2]) noexcept {
  if (::pipe2(fds, O_CLOEXEC) < 0) return -errno;
  return LiftAboveStandardStreams(fds);
}

int MakeSocketPair(int fds[2]) noexcept {
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) return -errno;
  return LiftAboveStandardStreams(fds);
}

// The system calls are made directly: musl before 1.2.5 has no wrapper, and glibc's is newer than
// the oldest version this addon loads with. The offset of -1 (both halves) means "the current
// position", which is all that a pipe has.
ssize_t ReadNoWait(int fd, const iovec* iov, int count) noexcept {
  return sys::RetryOnInterrupt([=]() -> ssize_t {
    return ::syscall(SYS_preadv2, fd, iov, count, -1L, -1L, RWF_NOWAIT);
  });
}

ssize_t WriteNoWait(int fd, const iovec* iov, int count) noexcept {
  return sys::RetryOnInterrupt([=]() -> ssize_t {
    return ::syscall(SYS_pwritev2, fd, iov, count, -1L, -1L, RWF_NOWAIT);
  });
}

int ReopenNonBlocking(int fd, bool writable) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const int flags = (writable ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC;
  return sys::RetryOnInterrupt([&] { return ::open(path, flags); });
}

ssize_t ReceiveMessage(int fd, msghdr* message) noexcept {
  return sys::RetryOnInterrupt(
      [=] { return ::recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
}

ssize_t SendMessage(int fd, const msghdr* message) noexcept {
  return sys::RetryOnInterrupt(
      [=] { return ::sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

int WaitForEvents(pollfd* fds, nfds_t count, long long timeout_ns) noexcept {
  // The calling thread's own mask is kept and three signals are added: ppoll() replaces the mask
  // for the wait only, and a signal that arrives meanwhile is delivered when the wait is over.
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGWINCH);
  sigaddset(&mask, SIGPROF);
  timespec timeout{};
  if (timeout_ns >= 0) {
    timeout.tv_sec = static_cast<time_t>(timeout_ns / 1000000000LL);
    timeout.tv_nsec = static_cast<long>(timeout_ns % 1000000000LL);
  }
  const int ready = ::ppoll(fds, count, timeout_ns < 0 ? nullptr : &timeout, &mask);
  return ready < 0 ? -errno : ready;
}

}  // namespace mp::platform
