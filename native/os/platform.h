// SPDX-License-Identifier: MIT
//
// What differs between operating systems in descriptors and semaphores. Each side has one file:
// platform_linux.cc and platform_darwin.cc. All functions return >= 0 or -errno.
#pragma once

#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mp::platform {

// Both are close-on-exec from birth. Neither end is a standard stream's number (0 to 2).
int MakePipe(int fds[2]) noexcept;
int MakeSocketPair(int fds[2]) noexcept;

// fstat(2).
int FileStatus(int fd, struct stat* out) noexcept;

// One attempt that never waits, on a descriptor that may be in blocking mode. -EOPNOTSUPP (or
// -EINVAL from an old kernel, or a refusal: see sys::IsRefused) means that this descriptor needs
// another I/O method. It can appear at any time, because splicing from a pipe takes the ability
// away again.
ssize_t ReadNoWait(int fd, const iovec* iov, int count) noexcept;
ssize_t WriteNoWait(int fd, const iovec* iov, int count) noexcept;

// writev() that reports EPIPE and never raises SIGPIPE, whatever the process does with that signal.
// Node ignores it. But once a listener for it was added and removed, libuv restores the default,
// which ends the process.
ssize_t WriteWithoutSignal(int fd, const iovec* iov, int count) noexcept;

// An independent non-blocking open file description of the same pipe end. It counts as one more
// reader or writer of the pipe, so it must be closed together with the original.
int ReopenNonBlocking(int fd, bool writable) noexcept;

// A descriptor that names the pipe of `fd` and counts as neither of its ends. ReopenNonBlocking()
// makes an end of it. -ENOTSUP where there is none.
int NamePipe(int fd) noexcept;

// The first bytes in the pipe of which `fd` is an end, which stay there: how many, or -errno.
// -ENOSYS where there is no way to see them.
ssize_t PeekPipe(int fd, uint8_t* into, size_t size) noexcept;

// recvmsg() that makes every descriptor it receives close-on-exec. Waits only if told to.
ssize_t ReceiveMessage(int fd, msghdr* message, bool wait) noexcept;

// sendmsg() that does not raise SIGPIPE. Waits only if told to.
ssize_t SendMessage(int fd, const msghdr* message, bool wait) noexcept;

// The same with send().
ssize_t Send(int fd, const void* data, size_t size, bool wait) noexcept;

// poll() with a timeout in nanoseconds (negative: none), during which signals that are routine in
// a Node process (SIGCHLD, SIGWINCH, SIGPROF) stay pending instead of interrupting the wait.
int WaitForEvents(pollfd* fds, nfds_t count, long long timeout_ns) noexcept;

// How many bytes a pipe has room for, and setting it. -ENOSYS where the system has no such call.
int PipeCapacity(int fd) noexcept;
int SetPipeCapacity(int fd, int bytes) noexcept;

// Reserves space for a file in the file system, of at least `size` bytes.
int AllocateFile(int fd, off_t size) noexcept;

// A new file without a name, of which all bytes are reserved and which cannot shrink.
// Close-on-exec, and no standard stream's number. -ENOSYS where the system has none.
int MakeMemoryFile(const char* name, off_t size) noexcept;
// 0 if this is such a file, else -EPROTO.
int CheckMemoryFile(int fd) noexcept;

// Sleeps on a semaphore for at most `slice_ns`: 0 once the value was taken, -ETIMEDOUT or -EINTR.
// The time is measured on the monotonic clock where the system can do that.
int WaitForSemaphore(sem_t* semaphore, int64_t slice_ns) noexcept;

// Sleeps until the semaphore's value is not 0, and takes nothing: 0 when it may be so, -ETIMEDOUT
// or -EINTR. -ENOSYS where nothing tells when that happens.
int AwaitSemaphore(sem_t* semaphore, int64_t slice_ns) noexcept;

// Sleeps while a word, which processes may share, has this value. May return early.
void SleepOnWord(std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns) noexcept;

// -ENOSYS where the system cannot tell.
int SemaphoreValue(sem_t* semaphore) noexcept;

// Waiting for many semaphores at once, for systems whose semaphores are known to be futexes of this
// layout: the value in the low half, the number of sleepers in the high half. sem_post() increments
// the value and, if there are sleepers, wakes one of them.
struct SemaphoreWord {
  std::atomic<uint64_t> data;

  std::atomic<uint32_t>* value() noexcept { return reinterpret_cast<std::atomic<uint32_t>*>(this); }
};

// How many semaphores one call can wait for; 0 where the system has no such call.
size_t MaxSemaphoreWords() noexcept;
SemaphoreWord* WordOf(sem_t* semaphore) noexcept;

// Sleeps until one of the values is no longer 0, `control` is no longer `expected`, or the time is
// up (negative: no limit). May return early.
void SleepOnWords(SemaphoreWord* const* words, size_t count, std::atomic<uint32_t>* control,
                  uint32_t expected, int64_t timeout_ns) noexcept;
void WakeOne(std::atomic<uint32_t>* value, bool shared) noexcept;
// Wakes all that sleep on a word, in any process.
void WakeAll(std::atomic<uint32_t>* word) noexcept;

}  // namespace mp::platform
