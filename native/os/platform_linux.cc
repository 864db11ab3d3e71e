// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

int AllocateFile(int fd, off_t size) noexcept {
  int error = 0;
  do {
    error = ::posix_fallocate(fd, 0, size);
  } while (error == EINTR);
  return -error;
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

// sem_clockwait() came with glibc 2.30. Without it the real-time clock has to do, in slices so
// short that setting that clock costs little.
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

// Since glibc 2.21 processes with different versions of it share semaphores, so their shape cannot
// change any more. That of musl is another one.
#if defined(__GLIBC__) && __SIZEOF_POINTER__ == 8

namespace {

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct WaitWord {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

constexpr uint32_t kWord32 = 2;
constexpr uint32_t kWordPrivate = 128;
constexpr size_t kMostWords = 128;

bool KernelWaitsForMany() noexcept {
  // Without words to wait for the call fails, in another way than one that is not there.
  return ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
}

}  // namespace

size_t MostSemaphoreWords() noexcept {
  static_assert(std::endian::native == std::endian::little);
  static const size_t most = KernelWaitsForMany() ? kMostWords - 1 : 0;
  return most;
}

SemaphoreWord* WordOf(sem_t* semaphore) noexcept {
  return reinterpret_cast<SemaphoreWord*>(semaphore);
}

void SleepOnWords(SemaphoreWord* const* words, size_t count, std::atomic<uint32_t>* control,
                  uint32_t expected, int64_t timeout_ns) noexcept {
  WaitWord all[kMostWords];
  for (size_t i = 0; i < count; i++) {
    all[i] = {0, reinterpret_cast<uintptr_t>(words[i]->value()), kWord32, 0};
  }
  all[count] = {expected, reinterpret_cast<uintptr_t>(control), kWord32 | kWordPrivate, 0};
  timespec until{};
  if (timeout_ns >= 0) until = TimeAfter(CLOCK_MONOTONIC, timeout_ns);
  (void)::syscall(SYS_futex_waitv, all, count + 1, 0, timeout_ns < 0 ? nullptr : &until,
                  CLOCK_MONOTONIC);
}

#else

size_t MostSemaphoreWords() noexcept { return 0; }
SemaphoreWord* WordOf(sem_t*) noexcept { return nullptr; }
void SleepOnWords(SemaphoreWord* const*, size_t, std::atomic<uint32_t>*, uint32_t,
                  int64_t) noexcept {}

#endif

void WakeOne(std::atomic<uint32_t>* value, bool shared) noexcept {
  (void)::syscall(SYS_futex, value, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
                  0);
}

namespace {

// The state letter and the start time of a process; false if there is none.
bool ReadProcess(uint32_t pid, char* state, uint64_t* start) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%u/stat", pid);
  const UniqueFd fd(
      static_cast<int>(sys::RetryOnInterrupt([&] { return ::open(path, O_RDONLY | O_CLOEXEC); })));
  if (fd.get() < 0) return fd.get() != -ENOENT && fd.get() != -ESRCH;
  char text[1024];
  const ssize_t size =
      sys::RetryOnInterrupt([&] { return ::read(fd.get(), text, sizeof text - 1); });
  if (size <= 0) return size != 0 && size != -ESRCH;
  text[size] = 0;
  // The name in parentheses may hold anything, so the fields are counted from its end.
  const char* field = std::strrchr(text, ')');
  if (field == nullptr || field[1] == 0) return true;
  field += 2;
  *state = *field;
  for (int i = 3; i < 22 && field != nullptr; i++) {
    field = std::strchr(field, ' ');
    if (field != nullptr) field++;
  }
  if (field != nullptr) *start = std::strtoull(field, nullptr, 10);
  return true;
}

uint64_t PidNamespace() noexcept {
  char target[64];
  const ssize_t size = ::readlink("/proc/self/ns/pid", target, sizeof target - 1);
  if (size <= 0) return 0;
  target[size] = 0;
  const char* number = std::strchr(target, '[');
  return number == nullptr ? 0 : std::strtoull(number + 1, nullptr, 10);
}

ProcessIdentity IdentifyThisProcess() noexcept {
  ProcessIdentity self;
  self.pid = static_cast<uint32_t>(::getpid());
  self.pid_namespace = PidNamespace();
  char state = 0;
  ReadProcess(self.pid, &state, &self.start);
  return self;
}

}  // namespace

ProcessIdentity ThisProcess() noexcept {
  static const ProcessIdentity self = IdentifyThisProcess();
  // A child of fork() has the parent's memory of it.
  return self.pid == static_cast<uint32_t>(::getpid()) ? self : IdentifyThisProcess();
}

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

// Close-on-exec from birth. It must not take the place of a closed standard stream.
int OpenProcess(pid_t pid) noexcept {
  const long fd = sys::RetryOnInterrupt([=] { return ::syscall(SYS_pidfd_open, pid, 0); });
  if (fd < 0 || fd > STDERR_FILENO) return static_cast<int>(fd);
  const UniqueFd low(static_cast<int>(fd));
  return sys::Duplicate(low.get());
}

bool IsDead(const ProcessIdentity& process) noexcept {
  const ProcessIdentity self = ThisProcess();
  if (process.pid == 0 || process.pid_namespace == 0 || self.pid_namespace == 0 ||
      process.pid_namespace != self.pid_namespace) {
    return false;
  }
  if (process.pid == self.pid && process.start == self.start) return false;
  char state = 0;
  uint64_t start = 0;
  if (!ReadProcess(process.pid, &state, &start)) return true;
  return state == 'Z' || state == 'X' || (start != 0 && start != process.start);
}

}  // namespace mp::platform
