// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "platform.h"
#include "sys.h"
#include "unique_fd.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOSIGNAL  // Linux 6.18.
#define RWF_NOSIGNAL 0x00000100
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

// Keeps SIGPIPE from ending the process while it exists. It costs one system call where the signal
// is ignored, as it nearly always is.
class PipeSignalGuard {
 public:
  PipeSignalGuard() noexcept {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGPIPE);
    sigset_t pending;
    // One that was pending before is not ours to take.
    active_ = ::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0 &&
              ::pthread_sigmask(SIG_BLOCK, &signal_, &before_) == 0;
  }

  ~PipeSignalGuard() {
    if (!active_) return;
    const timespec now{};
    (void)sys::RetryOnInterrupt([&] { return ::sigtimedwait(&signal_, nullptr, &now); });
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  PipeSignalGuard(const PipeSignalGuard&) = delete;
  PipeSignalGuard& operator=(const PipeSignalGuard&) = delete;

 private:
  sigset_t signal_;
  sigset_t before_;
  bool active_ = false;
};

ssize_t WriteVector(int fd, const iovec* iov, int count, int flags) noexcept {
  return sys::RetryOnInterrupt(
      [=]() -> ssize_t { return ::syscall(SYS_pwritev2, fd, iov, count, -1L, -1L, flags); });
}

// The calling thread's own mask and three signals: ppoll() replaces the mask for the wait only, and
// a signal that arrives meanwhile is delivered when the wait is over.
sigset_t MaskWithRoutineSignals() noexcept {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGWINCH);
  sigaddset(&mask, SIGPROF);
  return mask;
}

// Cleared when the kernel turns out not to know the flag. Any thread may be the one to find out.
std::atomic<bool> knows_no_signal{true};

}  // namespace

int MakePipe(int fds[2]) noexcept {
  if (::pipe2(fds, O_CLOEXEC) < 0) return -errno;
  return LiftAboveStandardStreams(fds);
}

int MakeSocketPair(int fds[2]) noexcept {
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) return -errno;
  return LiftAboveStandardStreams(fds);
}

// glibc has fstat() as a function of its own only since 2.33; the kernel's structure is the same on
// 64-bit systems.
int FileStatus(int fd, struct stat* out) noexcept {
  static_assert(sizeof(void*) == 8, "the kernel's stat structure differs on 32-bit systems");
  return static_cast<int>(
      sys::RetryOnInterrupt([=]() -> long { return ::syscall(SYS_fstat, fd, out); }));
}

// The system calls are made directly: musl before 1.2.5 has no wrapper, and glibc's is newer than
// the oldest version this addon loads with. The offset of -1 (both halves) means "the current
// position", which is all that a pipe has.
ssize_t ReadNoWait(int fd, const iovec* iov, int count) noexcept {
  return sys::RetryOnInterrupt(
      [=]() -> ssize_t { return ::syscall(SYS_preadv2, fd, iov, count, -1L, -1L, RWF_NOWAIT); });
}

ssize_t WriteNoWait(int fd, const iovec* iov, int count) noexcept {
  if (knows_no_signal.load(std::memory_order_relaxed)) {
    const ssize_t n = WriteVector(fd, iov, count, RWF_NOWAIT | RWF_NOSIGNAL);
    if (n != -EOPNOTSUPP && n != -EINVAL) return n;
  }
  const PipeSignalGuard guard;
  const ssize_t n = WriteVector(fd, iov, count, RWF_NOWAIT);
  // The same call without the flag was understood, so the flag is what is unknown.
  if (n != -EOPNOTSUPP && n != -EINVAL) knows_no_signal.store(false, std::memory_order_relaxed);
  return n;
}

ssize_t WriteWithoutSignal(int fd, const iovec* iov, int count) noexcept {
  const PipeSignalGuard guard;
  return sys::Writev(fd, iov, count);
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
  return sys::RetryOnInterrupt([=] { return ::sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

int WaitForEvents(pollfd* fds, nfds_t count, long long timeout_ns) noexcept {
  // Read once per thread: neither Node nor libuv changes the mask of a thread that runs JavaScript.
  static thread_local const sigset_t mask = MaskWithRoutineSignals();
  timespec timeout{};
  if (timeout_ns >= 0) {
    timeout.tv_sec = static_cast<time_t>(timeout_ns / 1000000000LL);
    timeout.tv_nsec = static_cast<long>(timeout_ns % 1000000000LL);
  }
  const int ready = ::ppoll(fds, count, timeout_ns < 0 ? nullptr : &timeout, &mask);
  return ready < 0 ? -errno : ready;
}

}  // namespace mp::platform
