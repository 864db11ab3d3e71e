// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <climits>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "os/platform.h"
#include "os/sys.h"
#include "os/unique_fd.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOSIGNAL  // Linux 6.18.
#define RWF_NOSIGNAL 0x00000100
#endif

namespace mp::platform {

namespace {

// A process may have been started with a standard stream closed. A pipe must not take its number,
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

// While it exists, SIGPIPE does not end the process. It costs one system call where the signal is
// ignored, as it nearly always is.
class PipeSignalGuard {
 public:
  PipeSignalGuard() noexcept {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGPIPE);
    sigset_t pending;
    // A signal that was pending before must stay pending.
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

// The calling thread's own mask and three signals. ppoll() replaces the mask for the wait only. A
// signal that arrives during the wait is delivered after it.
sigset_t MaskWithRoutineSignals() noexcept {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGWINCH);
  sigaddset(&mask, SIGPROF);
  return mask;
}

// Whether the kernel knows RWF_NOSIGNAL, as far as any thread has found out.
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

// glibc exports fstat() only since 2.33. The kernel's structure is the same on 64-bit systems.
int FileStatus(int fd, struct stat* out) noexcept {
  static_assert(sizeof(void*) == 8, "the kernel's stat structure differs on 32-bit systems");
  return static_cast<int>(
      sys::RetryOnInterrupt([=]() -> long { return ::syscall(SYS_fstat, fd, out); }));
}

// The system calls are made directly: musl before 1.2.5 has no wrapper, and glibc's is newer than
// the oldest version that this addon loads with. The offset of -1 (both halves) means "the current
// position", which is the only one that a pipe has.
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
  // The kernel knows the same call without RWF_NOSIGNAL, so it does not know that flag.
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

int NamePipe(int fd) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return sys::RetryOnInterrupt([&] { return ::open(path, O_PATH | O_CLOEXEC); });
}

ssize_t PeekPipe(int fd, uint8_t* into, size_t size) noexcept {
  // A description of its own: reading what a pipe shares with another one may be refused later.
  const UniqueFd pipe(ReopenNonBlocking(fd, false));
  if (pipe.get() < 0) return pipe.get();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  // If that is refused, less is seen.
  (void)::fcntl(writer.get(), F_SETPIPE_SZ, ::fcntl(pipe.get(), F_GETPIPE_SZ));
  const ssize_t seen = ::tee(pipe.get(), writer.get(), size, SPLICE_F_NONBLOCK);
  if (seen < 0) return -errno;
  ssize_t got = 0;
  while (got < seen) {
    const iovec iov{into + got, static_cast<size_t>(seen - got)};
    const ssize_t n = sys::Readv(reader.get(), &iov, 1);
    if (n <= 0) return n < 0 ? n : -EIO;
    got += n;
  }
  return got;
}

ssize_t ReceiveMessage(int fd, msghdr* message, bool wait) noexcept {
  const int flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
  return sys::RetryOnInterrupt([=] { return ::recvmsg(fd, message, flags); });
}

ssize_t SendMessage(int fd, const msghdr* message, bool wait) noexcept {
  const int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
  return sys::RetryOnInterrupt([=] { return ::sendmsg(fd, message, flags); });
}

ssize_t Send(int fd, const void* data, size_t size, bool wait) noexcept {
  const int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
  return sys::RetryOnInterrupt([=] { return ::send(fd, data, size, flags); });
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

namespace {

// The same by writing zeros, for what the file does not have yet.
int FillFile(int fd, off_t size) noexcept {
  struct stat info {};
  const int status = FileStatus(fd, &info);
  if (status < 0) return status;
  for (off_t at = info.st_size; at < size;) {
    static constexpr char kZeros[4096] = {};
    const size_t left = std::min<size_t>(sizeof kZeros, static_cast<size_t>(size - at));
    const ssize_t n = sys::RetryOnInterrupt([&] { return ::pwrite(fd, kZeros, left, at); });
    if (n < 0) return static_cast<int>(n);
    at += n;
  }
  return 0;
}

}  // namespace

int AllocateFile(int fd, off_t size) noexcept {
  int error = 0;
  do {
    error = ::posix_fallocate(fd, 0, size);
  } while (error == EINTR);
  return sys::IsRefused(-error) ? FillFile(fd, size) : -error;
}

int MakeMemoryFile(const char* name, off_t size) noexcept {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return -errno;
  if (fd.get() <= STDERR_FILENO) fd.Reset(sys::Duplicate(fd.get()));
  int status = fd.get();
  if (status >= 0) status = AllocateFile(fd.get(), size);
  if (status >= 0)
    status = ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 ? -errno : 0;
  return status < 0 ? status : fd.Release();
}

int CheckMemoryFile(int fd) noexcept {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 ? 0 : -EPROTO;
}

namespace {

timespec TimeAfter(clockid_t clock, int64_t ns) noexcept {
  timespec at{};
  ::clock_gettime(clock, &at);
  const int64_t sum = at.tv_nsec + ns % 1000000000LL;
  at.tv_sec += static_cast<time_t>(ns / 1000000000LL + sum / 1000000000LL);
  at.tv_nsec = static_cast<long>(sum % 1000000000LL);
  return at;
}

using ClockWait = int (*)(sem_t*, clockid_t, const timespec*);

}  // namespace

// sem_clockwait() came with glibc 2.30. Without it the real-time clock is used, in slices so short
// that a change of that clock delays the wait only a little.
int WaitForSemaphore(sem_t* semaphore, int64_t slice_ns) noexcept {
  static const auto clock_wait =
      reinterpret_cast<ClockWait>(::dlsym(RTLD_DEFAULT, "sem_clockwait"));
  if (clock_wait != nullptr) {
    const timespec until = TimeAfter(CLOCK_MONOTONIC, slice_ns);
    return clock_wait(semaphore, CLOCK_MONOTONIC, &until) == 0 ? 0 : -errno;
  }
  constexpr int64_t kShort = 50'000'000;
  const timespec until = TimeAfter(CLOCK_REALTIME, std::min(slice_ns, kShort));
  return ::sem_timedwait(semaphore, &until) == 0 ? 0 : -errno;
}

int SemaphoreValue(sem_t* semaphore) noexcept {
  int value = 0;
  return ::sem_getvalue(semaphore, &value) == 0 ? value : -errno;
}

// Since glibc 2.21 processes with different versions of glibc share semaphores, so the layout
// cannot change any more. musl's layout is another one.
#if defined(__GLIBC__) && __SIZEOF_POINTER__ == 8

namespace {

constexpr uint64_t kOneSleeper = uint64_t{1} << 32;

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct FutexWaiter {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

constexpr uint32_t kWord32 = 2;
constexpr uint32_t kWordPrivate = 128;
constexpr size_t kMaxWords = 128;

bool KernelWaitsForMany() noexcept {
  // Without words to wait for the call fails with EINVAL, unless the kernel does not have it.
  return ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
}

}  // namespace

size_t MaxSemaphoreWords() noexcept {
  static_assert(std::endian::native == std::endian::little);
  static const size_t max = KernelWaitsForMany() ? kMaxWords - 1 : 0;
  return max;
}

SemaphoreWord* WordOf(sem_t* semaphore) noexcept {
  return reinterpret_cast<SemaphoreWord*>(semaphore);
}

void SleepOnWords(SemaphoreWord* const* words, size_t count, std::atomic<uint32_t>* control,
                  uint32_t expected, int64_t timeout_ns) noexcept {
  FutexWaiter all[kMaxWords];
  for (size_t i = 0; i < count; i++) {
    all[i] = {0, reinterpret_cast<uintptr_t>(words[i]->value()), kWord32, 0};
  }
  all[count] = {expected, reinterpret_cast<uintptr_t>(control), kWord32 | kWordPrivate, 0};
  timespec until{};
  if (timeout_ns >= 0) until = TimeAfter(CLOCK_MONOTONIC, timeout_ns);
  (void)::syscall(SYS_futex_waitv, all, count + 1, 0, timeout_ns < 0 ? nullptr : &until,
                  CLOCK_MONOTONIC);
}

int AwaitSemaphore(sem_t* semaphore, int64_t slice_ns) noexcept {
  SemaphoreWord* word = WordOf(semaphore);
  if (static_cast<uint32_t>(word->data.load()) > 0) return 0;
  const timespec slice{static_cast<time_t>(slice_ns / 1'000'000'000),
                       static_cast<long>(slice_ns % 1'000'000'000)};
  word->data.fetch_add(kOneSleeper);
  const long slept = ::syscall(SYS_futex, word->value(), FUTEX_WAIT, 0, &slice, nullptr, 0);
  const int status = slept < 0 && (errno == ETIMEDOUT || errno == EINTR) ? -errno : 0;
  const uint64_t before = word->data.fetch_sub(kOneSleeper);
  // A caller that was interrupted may not try. The wake-up that it may have got goes to another.
  const bool others = before >> 32 > 1;
  if (status < 0 && others && static_cast<uint32_t>(before) > 0) WakeOne(word->value(), true);
  return status;
}

#else

int AwaitSemaphore(sem_t*, int64_t) noexcept { return -ENOSYS; }
size_t MaxSemaphoreWords() noexcept { return 0; }
SemaphoreWord* WordOf(sem_t*) noexcept { return nullptr; }
void SleepOnWords(SemaphoreWord* const*, size_t, std::atomic<uint32_t>*, uint32_t,
                  int64_t) noexcept {}

#endif

int PipeCapacity(int fd) noexcept {
  const int size = ::fcntl(fd, F_GETPIPE_SZ);
  return size < 0 ? -errno : size;
}

int SetPipeCapacity(int fd, int bytes) noexcept {
  return ::fcntl(fd, F_SETPIPE_SZ, bytes) < 0 ? -errno : 0;
}

void SleepOnWord(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns) noexcept {
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  (void)::syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void WakeOne(std::atomic<uint32_t>* value, bool shared) noexcept {
  (void)::syscall(SYS_futex, value, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
                  0);
}

void WakeAll(std::atomic<uint32_t>* word) noexcept {
  (void)::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace mp::platform
