// SPDX-License-Identifier: MIT
//
// What differs between operating systems. Each side has one file: platform_linux.cc and
// platform_darwin.cc. All functions return >= 0 or -errno.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace mp::platform {

// Both are close-on-exec from birth. Neither end is a standard stream's number (0 to 2).
int MakePipe(int fds[2]) noexcept;
int MakeSocketPair(int fds[2]) noexcept;

// fstat(2).
int FileStatus(int fd, struct stat* out) noexcept;

// One attempt that never waits, on a descriptor that may be in blocking mode. -EOPNOTSUPP (or
// -ENOSYS, -EINVAL from an old kernel) means that this descriptor needs another way; it can appear
// at any time, because splicing from a pipe takes the ability away again.
ssize_t ReadNoWait(int fd, const iovec* iov, int count) noexcept;
ssize_t WriteNoWait(int fd, const iovec* iov, int count) noexcept;

// writev() that reports EPIPE and never raises SIGPIPE, whatever the process does with that signal:
// Node ignores it, but once a listener for it was added and removed libuv restores the default,
// which ends the process.
ssize_t WriteWithoutSignal(int fd, const iovec* iov, int count) noexcept;

// An independent non-blocking open file description of the same pipe end. It counts as one more
// reader or writer of the pipe, so it must be closed together with the original.
int ReopenNonBlocking(int fd, bool writable) noexcept;

// recvmsg() that makes every descriptor it receives close-on-exec. Never waits.
ssize_t ReceiveMessage(int fd, msghdr* message) noexcept;

// sendmsg() that neither waits nor raises SIGPIPE.
ssize_t SendMessage(int fd, const msghdr* message) noexcept;

// poll() with a timeout in nanoseconds (negative: none), during which signals that are routine in
// a Node process (SIGCHLD, SIGWINCH, SIGPROF) stay pending instead of interrupting the wait.
int WaitForEvents(pollfd* fds, nfds_t count, long long timeout_ns) noexcept;

}  // namespace mp::platform
