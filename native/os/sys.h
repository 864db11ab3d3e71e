// SPDX-License-Identifier: MIT
//
// POSIX calls as the rest of the code wants them: EINTR is handled here, the result is >= 0 or
// -errno, and errno is read on the line after the call so that nothing in between can change it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>

namespace mp::sys {

// Repeats a call for as long as a signal interrupts it. Not for waiting calls, whose callers decide
// what an interruption means, and never for close().
template <typename Call>
auto RetryOnInterrupt(Call call) noexcept -> decltype(call()) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

// Closes once and ignores the result: the descriptor is gone even when close() reports EINTR, and a
// second attempt could close one that another thread has just been given.
void Close(int fd) noexcept;

// Sets the flag only where it is missing.
int SetCloseOnExec(int fd) noexcept;

// A second descriptor for the same open file description, close-on-exec.
int Duplicate(int fd) noexcept;

// Makes `fd` another descriptor for what `by` stands for, in one step. Close-on-exec.
void Replace(int fd, int by) noexcept;

ssize_t Readv(int fd, const iovec* iov, int count) noexcept;
ssize_t Writev(int fd, const iovec* iov, int count) noexcept;

// poll(2). An interruption is returned as -EINTR: what it means is the caller's decision.
int Poll(pollfd* fds, nfds_t count, int timeout_ms) noexcept;

// Whether one of `events` can be had without waiting.
bool IsReady(int fd, short events) noexcept;

// How many bytes can be read from a pipe or a socket at this moment.
int BytesReadable(int fd) noexcept;

}  // namespace mp::sys
