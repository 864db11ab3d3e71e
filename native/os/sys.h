// SPDX-License-Identifier: MIT
//
// POSIX calls in the form that the rest of the code uses. EINTR is handled here. The result is >= 0
// or -errno. errno is read on the line after the call, so that nothing in between can change it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>

namespace mp::sys {

// Repeats a call for as long as a signal interrupts it. Not for calls that wait, whose callers
// decide what an interruption means, and never for close().
template <typename Call>
auto RetryOnInterrupt(Call call) noexcept -> decltype(call()) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

// Whether a result says that this system does not have a call, or that a filter in front of it (a
// container's, a sandbox's) refuses it. Filters answer with whatever error they were given. Each
// call that came late has another way, which is taken then.
constexpr bool IsRefused(long status) noexcept {
  return status == -ENOSYS || status == -EPERM || status == -EACCES;
}

// Whether a result says that the system lacked memory or descriptors at this moment, so that the
// same call may succeed later. It says nothing about what the call was made for.
constexpr bool IsShortage(long status) noexcept {
  return status == -ENOMEM || status == -ENOBUFS || status == -EMFILE || status == -ENFILE;
}

// Closes once and ignores the result. The descriptor is gone even when close() reports EINTR, and a
// second attempt could close one that another thread has just opened.
void Close(int fd) noexcept;

// Sets the flag only where it is missing.
int SetCloseOnExec(int fd) noexcept;

// A second descriptor for the same open file description, close-on-exec.
int Duplicate(int fd) noexcept;

// Makes `fd` refer to what `by` refers to, in one step. Close-on-exec.
void Replace(int fd, int by) noexcept;

ssize_t Readv(int fd, const iovec* iov, int count) noexcept;
ssize_t Writev(int fd, const iovec* iov, int count) noexcept;

// poll(2). An interruption is returned as -EINTR: the caller decides what it means.
int Poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept;

// Whether one of `events` is there without waiting.
bool IsReady(int fd, short events) noexcept;

// A mark on an open file description, which all its copies in all processes share: the process that
// passed it on and kept a copy has closed that copy. It is the signal of F_SETSIG, which has no
// meaning while O_ASYNC is off. No system but Linux has it, and there the mark is never found.
void MarkLastCopy(int fd, bool on) noexcept;
bool IsMarkedLastCopy(int fd) noexcept;

// How many bytes can be read from a pipe or a socket at this moment.
int BytesReadable(int fd) noexcept;

}  // namespace mp::sys
