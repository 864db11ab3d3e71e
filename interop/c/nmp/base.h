// SPDX-License-Identifier: MIT
//
// What the other headers share: return codes, deadlines, waiting for a
// descriptor, and reading from it. Included by node_multiprocessing.h.

#ifndef NODE_MULTIPROCESSING_BASE_H_
#define NODE_MULTIPROCESSING_BASE_H_

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if !defined(CLOCK_MONOTONIC) || !defined(CMSG_SPACE)
#error "Use -std=gnu99 or later, or define _POSIX_C_SOURCE=200809L."
#endif

// All are below every -errno.
enum {
  NMP_EOF = -5001,                 // The other side closed between two messages.
  NMP_TRUNCATED = -5002,           // The other side closed inside a message.
  NMP_BAD_LENGTH = -5003,          // Negative but not -1, or above PTRDIFF_MAX.
  NMP_TOO_BIG = -5004,             // Longer than the buffer; nothing is lost.
  NMP_BAD_HANDLE = -5005,          // Not exactly one descriptor arrived.
  NMP_TIMEOUT = -5006,             // The semaphore stayed at zero for the timeout.
  NMP_EMPTY = -5007,               // Nothing to get within the timeout.
  NMP_FULL = -5008,                // No room to put anything within the timeout.
  NMP_DROPPED = -5009,             // A message above max_bytes was discarded.
  NMP_RELEASED_TOO_OFTEN = -5010,  // The semaphore already has its highest value.
  NMP_TASK_DONE = -5011            // More tasks reported as done than were put.
};

// Describes a return code in a text that must not be freed.
// Threads: safe for NMP_ codes, as strerror(3) for a negative errno.
static inline const char *nmp_strerror(int code) {
  switch (code) {
    case NMP_EOF:
      return "end of data";
    case NMP_TRUNCATED:
      return "end of data inside a message";
    case NMP_BAD_LENGTH:
      return "bad message length";
    case NMP_TOO_BIG:
      return "message too big";
    case NMP_BAD_HANDLE:
      return "expected exactly one descriptor";
    case NMP_TIMEOUT:
      return "timed out";
    case NMP_EMPTY:
      return "queue empty";
    case NMP_FULL:
      return "queue full";
    case NMP_DROPPED:
      return "message above the limit, dropped";
    case NMP_RELEASED_TOO_OFTEN:
      return "semaphore or lock released too often";
    case NMP_TASK_DONE:
      return "task_done called too often";
    default:
      return strerror(code < 0 ? -code : code);
  }
}

// Names that end in an underscore are internal.

#define NMP_MAX_CALL_ ((size_t)1 << 30)  // macOS refuses counts above INT_MAX.

#ifdef MSG_NOSIGNAL
#define NMP_NOSIGNAL_ MSG_NOSIGNAL
#else
#define NMP_NOSIGNAL_ 0
#endif

// The time of the monotonic clock in nanoseconds. As a deadline, 0 is in the
// past, and INT64_MAX is never.
static inline int64_t nmp_now_ns_(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// The deadline timeout_ms milliseconds from now; a negative number is never.
static inline int64_t nmp_deadline_(int timeout_ms) {
  if (timeout_ms < 0) return INT64_MAX;
  return timeout_ms == 0 ? 0 : nmp_now_ns_() + (int64_t)timeout_ms * 1000000;
}

// Nanoseconds until a deadline, 0 if it has passed.
static inline int64_t nmp_left_ns_(int64_t deadline) {
  if (deadline == 0 || deadline == INT64_MAX) return deadline;
  const int64_t left = deadline - nmp_now_ns_();
  return left > 0 ? left : 0;
}

// The same as a timeout for poll(2). Rounded up, so that the last slice does
// not spin.
static inline int nmp_left_ms_(int64_t deadline) {
  if (deadline == INT64_MAX) return -1;
  const int64_t left_ms = (nmp_left_ns_(deadline) + 999999) / 1000000;
  return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

// poll(2) for one descriptor with one deadline, however many signals arrive.
// Returns 1 for any event, 0 after the deadline, or -errno.
static inline int nmp_wait_(int fd, short events, int64_t deadline) {
  struct pollfd entry = {fd, events, 0};
  for (;;) {
    const int ready = poll(&entry, 1, nmp_left_ms_(deadline));
    if (ready > 0) return (entry.revents & POLLNVAL) != 0 ? -EBADF : 1;
    if (ready < 0 && errno != EINTR) return -errno;
    if (ready == 0 && nmp_left_ns_(deadline) == 0) return 0;
  }
}

// Called after a system call has failed. Returns 0 when the call should be
// repeated, or the -errno of the failure.
static inline int nmp_retry_(int fd, short events) {
  if (errno == EINTR) return 0;
  if (errno != EAGAIN) return -errno;
  const int ready = nmp_wait_(fd, events, INT64_MAX);
  return ready < 0 ? ready : 0;
}

// Reads exactly len bytes. When the data ends first, returns at_start if no
// byte was read, else NMP_TRUNCATED.
static inline int nmp_read_(int fd, void *buf, size_t len, int at_start) {
  size_t got = 0;
  while (got < len) {
    const size_t left = len - got;
    const ssize_t count = read(fd, (char *)buf + got, left < NMP_MAX_CALL_ ? left : NMP_MAX_CALL_);
    const int code = count < 0 ? nmp_retry_(fd, POLLIN) : 0;
    if (code != 0) return code;
    if (count == 0) return got == 0 ? at_start : NMP_TRUNCATED;
    if (count > 0) got += (size_t)count;
  }
  return 0;
}

// Waits until there is something to receive, for at most timeout_ms
// milliseconds: 0 asks without waiting, a negative number waits for ever.
// Returns 1 for data (perhaps only a part of a message, so that receiving it can
// still wait), the end of data or an error; 0 after the timeout; -errno.
// Threads: safe.
static inline int nmp_poll(int fd, int timeout_ms) {
  return nmp_wait_(fd, POLLIN, nmp_deadline_(timeout_ms));
}

// Marks fd as close-on-exec, so that programs that this one executes do not get
// it. An inherited descriptor does not have that mark. A copy in a grandchild
// would keep the connection open, and the other side would never see the end.
// Returns 0 or -errno. Threads: safe.
static inline int nmp_set_cloexec(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}

// Makes the process, and programs that it executes later, ignore SIGPIPE, so that
// writing to a pipe without readers returns -EPIPE.
// Returns 0 or -errno. Threads: safe; it affects the whole process.
static inline int nmp_ignore_sigpipe(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  return sigaction(SIGPIPE, &action, NULL) == 0 ? 0 : -errno;
}

#endif  // NODE_MULTIPROCESSING_BASE_H_
