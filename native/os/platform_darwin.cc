// SPDX-License-Identifier: MIT
//
// macOS has no pipe2(), no RWF_NOWAIT, and /dev/fd only duplicates a descriptor. Pipes therefore
// use the last I/O method (poll, then a call that cannot wait). Sockets work as on Linux.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

#include "os/platform.h"
#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp::platform {

namespace {

// Between creation and F_SETFD another thread could fork. libuv spawns with
// POSIX_SPAWN_CLOEXEC_DEFAULT on this system, so a Node child does not inherit the pair even then.
int Protect(int fds[2]) noexcept {
  UniqueFd ends[2] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  for (UniqueFd& end : ends) {
    if (end.get() <= STDERR_FILENO) {
      const int lifted = sys::Duplicate(end.get());
      if (lifted < 0) return lifted;
      end.Reset(lifted);
    }
    const int status = sys::SetCloseOnExec(end.get());
    if (status < 0) return status;
  }
  fds[0] = ends[0].Release();
  fds[1] = ends[1].Release();
  return 0;
}

// Keeps the code mapped, since native threads outlive the worker that has loaded it. This is what
// -z nodelete does on Linux, which the linker of macOS lacks. The reference is never given back.
[[gnu::constructor]] void StayLoaded() noexcept {
  Dl_info self;
  if (::dladdr(reinterpret_cast<const void*>(&StayLoaded), &self) != 0) {
    (void)::dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }
}

}  // namespace

int MakePipe(int fds[2]) noexcept {
  if (::pipe(fds) < 0) return -errno;
  return Protect(fds);
}

int MakeSocketPair(int fds[2]) noexcept {
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return -errno;
  const int on = 1;
  ::setsockopt(fds[0], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  ::setsockopt(fds[1], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  return Protect(fds);
}

int FileStatus(int fd, struct stat* out) noexcept {
  return sys::RetryOnInterrupt([=] { return ::fstat(fd, out); });
}

ssize_t ReadNoWait(int, const iovec*, int) noexcept { return -EOPNOTSUPP; }
ssize_t WriteNoWait(int, const iovec*, int) noexcept { return -EOPNOTSUPP; }

// There is no sigtimedwait() here to take back a signal that was raised; Node ignores SIGPIPE.
ssize_t WriteWithoutSignal(int fd, const iovec* iov, int count) noexcept {
  return sys::Writev(fd, iov, count);
}

int ReopenNonBlocking(int, bool) noexcept { return -EOPNOTSUPP; }

int NamePipe(int) noexcept { return -ENOTSUP; }

ssize_t PeekPipe(int, uint8_t*, size_t) noexcept { return -ENOSYS; }

ssize_t ReceiveMessage(int fd, msghdr* message, bool wait) noexcept {
  const ssize_t n =
      sys::RetryOnInterrupt([=] { return ::recvmsg(fd, message, wait ? 0 : MSG_DONTWAIT); });
  if (n < 0) return n;
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const int* received = reinterpret_cast<const int*>(CMSG_DATA(c));
    for (size_t i = 0; i < count; i++) sys::SetCloseOnExec(received[i]);
  }
  return n;
}

ssize_t SendMessage(int fd, const msghdr* message, bool wait) noexcept {
  return sys::RetryOnInterrupt([=] { return ::sendmsg(fd, message, wait ? 0 : MSG_DONTWAIT); });
}

ssize_t Send(int fd, const void* data, size_t size, bool wait) noexcept {
  return sys::RetryOnInterrupt([=] { return ::send(fd, data, size, wait ? 0 : MSG_DONTWAIT); });
}

int WaitForEvents(pollfd* fds, nfds_t count, long long timeout_ns) noexcept {
  sigset_t routine;
  sigset_t before;
  sigemptyset(&routine);
  sigaddset(&routine, SIGCHLD);
  sigaddset(&routine, SIGWINCH);
  sigaddset(&routine, SIGPROF);
  ::pthread_sigmask(SIG_BLOCK, &routine, &before);
  // Longer waits end early. The caller, whose deadline has not passed, repeats them.
  const long long rounded = (timeout_ns + 999999LL) / 1000000LL;
  const int timeout_ms =
      timeout_ns < 0 ? -1 : static_cast<int>(std::min<long long>(rounded, INT_MAX));
  const int ready = sys::Poll(fds, count, timeout_ms);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return ready;
}

int AllocateFile(int fd, off_t size) noexcept {
  return static_cast<int>(sys::RetryOnInterrupt([=] { return ::ftruncate(fd, size); }));
}

// Files of shm_open() cannot be kept from shrinking.
int MakeMemoryFile(const char*, off_t) noexcept { return -ENOSYS; }
int CheckMemoryFile(int) noexcept { return -ENOSYS; }

// macOS has no timed wait, so the semaphore is tried with growing pauses, as CPython does.
int WaitForSemaphore(sem_t* semaphore, int64_t slice_ns) noexcept {
  constexpr int64_t kLongestPause = 20'000'000;
  for (int64_t pause = 1'000'000;; pause = std::min(pause + 1'000'000, kLongestPause)) {
    if (::sem_trywait(semaphore) == 0) return 0;
    if (errno != EAGAIN) return -errno;
    if (slice_ns <= 0) return -ETIMEDOUT;
    const int64_t ns = std::min(pause, slice_ns);
    const timespec time{0, static_cast<long>(ns)};
    if (::nanosleep(&time, nullptr) < 0) return -errno;
    slice_ns -= ns;
  }
}

int PipeCapacity(int) noexcept { return -ENOSYS; }
int SetPipeCapacity(int, int) noexcept { return -ENOSYS; }

int SemaphoreValue(sem_t*) noexcept { return -ENOSYS; }
int AwaitSemaphore(sem_t*, int64_t) noexcept { return -ENOSYS; }

// macOS offers nothing that wakes another process by a word of memory.
void SleepOnWord(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns) noexcept {
  constexpr int64_t kPause = 1'000'000;
  const timespec time{0, static_cast<long>(std::min(kPause, timeout_ns))};
  if (word->load() == expected) ::nanosleep(&time, nullptr);
}

size_t MaxSemaphoreWords() noexcept { return 0; }
SemaphoreWord* WordOf(sem_t*) noexcept { return nullptr; }
void SleepOnWords(SemaphoreWord* const*, size_t, std::atomic<uint32_t>*, uint32_t,
                  int64_t) noexcept {}
void WakeOne(std::atomic<uint32_t>*, bool) noexcept {}
void WakeAll(std::atomic<uint32_t>*) noexcept {}

}  // namespace mp::platform
