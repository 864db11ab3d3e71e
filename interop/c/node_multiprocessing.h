// SPDX-License-Identifier: MIT
//
// Messages over an inherited descriptor, framed as CPython's
// multiprocessing.connection and node-multiprocessing frame them. Header only,
// C99 or C++11, for POSIX.1-2008 systems.
//
// A message is a signed 32-bit big-endian length and that many bytes. Above
// 2^31-1 bytes the length is -1, followed by an unsigned 64-bit big-endian
// length. Receivers accept both forms for any size.
//
// Returns: 0 for success, an NMP_ code or a negative errno (-EPIPE, ...). After
// a failure other than NMP_EOF and NMP_TOO_BIG the position in the stream is
// unknown, and the descriptor is only good for closing.
//
// Threads: there is no hidden state, and one thread may send while another
// receives. "One sender" and "one receiver" below mean that several, in this
// process or others, need a lock around the whole call: neither a write above
// PIPE_BUF bytes nor the reads of one message are atomic.
//
// Blocking: calls wait as long as it takes, and signals do not cut them short.
// A non-blocking descriptor is waited for with poll(2); its flags are never
// changed, because every process that holds it shares them.

#ifndef NODE_MULTIPROCESSING_H_
#define NODE_MULTIPROCESSING_H_

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

// All lie below every -errno.
enum {
  NMP_EOF = -5001,         // The other side is gone, between two messages.
  NMP_TRUNCATED = -5002,   // The other side went away inside a message.
  NMP_BAD_LENGTH = -5003,  // Negative but not -1, or above PTRDIFF_MAX.
  NMP_TOO_BIG = -5004,     // The body is unread: go on with nmp_recv_body().
  NMP_BAD_HANDLE = -5005   // Not exactly one descriptor arrived.
};

// The longest message Node accepts unless told otherwise, in bytes: a good
// max_bytes for nmp_recv_alloc() and nmp_recv_grow().
#define NMP_DEFAULT_MAX_BYTES ((size_t)1 << 30)

// Describes a return code in words that must not be freed.
// Threads: safe for NMP_ codes, as strerror(3) for a negative errno.
static inline const char *nmp_strerror(int code) {
  if (code == NMP_EOF) return "end of data";
  if (code == NMP_TRUNCATED) return "end of data inside a message";
  if (code == NMP_BAD_LENGTH) return "bad message length";
  if (code == NMP_TOO_BIG) return "message too big";
  if (code == NMP_BAD_HANDLE) return "expected exactly one descriptor";
  return strerror(code < 0 ? -code : code);
}

// Names that end in an underscore are internal.

#define NMP_FIRST_CHUNK_ ((size_t)1 << 20)  // First step of a growing buffer.
#define NMP_MAX_CALL_ ((size_t)1 << 30)     // macOS refuses counts above INT_MAX.

#ifdef MSG_NOSIGNAL
#define NMP_NOSIGNAL_ MSG_NOSIGNAL
#else
#define NMP_NOSIGNAL_ 0
#endif

#ifdef MSG_CMSG_CLOEXEC
#define NMP_CLOEXEC_ MSG_CMSG_CLOEXEC
#else
#define NMP_CLOEXEC_ 0
#endif

static inline int64_t nmp_now_ns_(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// poll(2) for one descriptor under one deadline, however many signals arrive.
// Returns 1 for any event, 0 after the timeout (negative: never), or -errno.
static inline int nmp_wait_(int fd, short events, int timeout_ms) {
  const int64_t deadline_ns = timeout_ms > 0 ? nmp_now_ns_() + (int64_t)timeout_ms * 1000000 : 0;
  struct pollfd entry = {fd, events, 0};
  for (;;) {
    const int ready = poll(&entry, 1, timeout_ms);
    if (ready > 0) return (entry.revents & POLLNVAL) != 0 ? -EBADF : 1;
    if (ready < 0 && errno != EINTR) return -errno;
    if (timeout_ms > 0) {
      // Rounded up, so that the last slice does not spin.
      const int64_t left_ns = deadline_ns - nmp_now_ns_();
      timeout_ms = left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0;
    }
    if (ready == 0 && timeout_ms == 0) return 0;
  }
}

// Called after a system call failed. Returns 0 once it is worth trying again,
// or the -errno to give up with.
static inline int nmp_retry_(int fd, short events) {
  if (errno == EINTR) return 0;
  if (errno != EAGAIN) return -errno;
  const int ready = nmp_wait_(fd, events, -1);
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

// Encodes the header for len bytes and returns its size, 4 or 12.
static inline size_t nmp_encode_header_(uint64_t len, unsigned char *out) {
  const size_t digits = len > 0x7fffffff ? 8 : 4;
  const size_t size = digits == 8 ? 12 : 4;
  memset(out, 0xff, 4);
  for (size_t i = 1; i <= digits; i++, len >>= 8) out[size - i] = len & 0xff;
  return size;
}

// Sends with writev(2) if plain is set, else with sendmsg(2), which alone can
// suppress SIGPIPE, until the descriptor proves to be no socket.
static inline int nmp_send_(int fd, int plain, const void *buf, size_t len) {
  unsigned char header[12];
  const size_t header_len = nmp_encode_header_(len, header);
  size_t done = 0;
  if (len > (size_t)PTRDIFF_MAX - header_len) return NMP_BAD_LENGTH;
  while (done < header_len + len) {
    struct iovec iov[2];
    struct msghdr message;
    ssize_t sent;
    int count = 0;
    const size_t offset = done > header_len ? done - header_len : 0;
    const size_t left = len - offset;
    if (done < header_len) {
      iov[count].iov_base = header + done;
      iov[count++].iov_len = header_len - done;
    }
    if (left > 0) {
      // struct iovec is not const-correct; the payload is only read.
      iov[count].iov_base = (void *)((uintptr_t)buf + offset);
      iov[count++].iov_len = left < NMP_MAX_CALL_ ? left : NMP_MAX_CALL_;
    }
    if (plain) {
      sent = writev(fd, iov, count);
    } else {
      memset(&message, 0, sizeof message);
      message.msg_iov = iov;
      message.msg_iovlen = (unsigned)count;
      sent = sendmsg(fd, &message, NMP_NOSIGNAL_);
    }
    if (sent >= 0) {
      done += (size_t)sent;
    } else if (!plain && errno == ENOTSOCK) {
      plain = 1;
    } else {
      const int code = nmp_retry_(fd, POLLOUT);
      if (code != 0) return code;
    }
  }
  return 0;
}

// Sends one message of len bytes; len may be 0 and buf then NULL. Header and
// payload leave in one system call if the kernel has room for them. On a socket
// whose other end is closed it returns -EPIPE without a signal. On a pipe, and
// without MSG_NOSIGNAL, SIGPIPE comes unless ignored: see nmp_ignore_sigpipe().
// Returns 0, NMP_BAD_LENGTH or -errno. Threads: one sender.
static inline int nmp_send(int fd, const void *buf, size_t len) {
  return nmp_send_(fd, 0, buf, len);
}

// The same by writev(2) alone, for pipes and for programs that ignore SIGPIPE:
// nmp_send() spends a refused sendmsg(2) to learn that a pipe is no socket.
// Returns 0, NMP_BAD_LENGTH or -errno. Threads: one sender.
static inline int nmp_send_plain(int fd, const void *buf, size_t len) {
  return nmp_send_(fd, 1, buf, len);
}

// Makes the process, and programs it executes later, ignore SIGPIPE, so that
// writing to a pipe nobody reads returns -EPIPE.
// Returns 0 or -errno. Threads: safe; it concerns the whole process.
static inline int nmp_ignore_sigpipe(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  return sigaction(SIGPIPE, &action, NULL) == 0 ? 0 : -errno;
}

// Receives the header of the next message and stores the length of its body,
// in bytes, in *size. Exactly that many must be taken next by nmp_recv_body();
// of an empty message nothing is left.
// Returns 0, NMP_EOF, NMP_TRUNCATED, NMP_BAD_LENGTH or -errno.
// Threads: one receiver, from here to the end of the body.
static inline int nmp_recv_size(int fd, size_t *size) {
  unsigned char header[8];
  uint64_t length = 0;
  int code = nmp_read_(fd, header, 4, NMP_EOF);
  *size = 0;
  if (code != 0) return code;
  for (int i = 0; i < 4; i++) length = length << 8 | header[i];
  if (length > 0x7fffffff) {
    if (length != 0xffffffff) return NMP_BAD_LENGTH;
    code = nmp_read_(fd, header, 8, NMP_TRUNCATED);
    if (code != 0) return code;
    for (int i = 0; i < 8; i++) length = length << 8 | header[i];
    if (length > (uint64_t)PTRDIFF_MAX) return NMP_BAD_LENGTH;
  }
  *size = (size_t)length;
  return 0;
}

// Receives len bytes of a body whose header was read. A body may be taken in
// several calls whose lengths add up to its size.
// Returns 0, NMP_TRUNCATED or -errno. Threads: one receiver.
static inline int nmp_recv_body(int fd, void *buf, size_t len) {
  return nmp_read_(fd, buf, len, NMP_TRUNCATED);
}

// Receives one message into a buffer of cap bytes and stores its length in
// *len. A longer message is not lost: the call returns NMP_TOO_BIG with the
// needed size in *len, and nmp_recv_body(fd, larger_buffer, *len) receives it.
// Returns 0, NMP_EOF, NMP_TRUNCATED, NMP_BAD_LENGTH, NMP_TOO_BIG or -errno.
// Threads: one receiver.
static inline int nmp_recv(int fd, void *buf, size_t cap, size_t *len) {
  const int code = nmp_recv_size(fd, len);
  if (code != 0) return code;
  return *len > cap ? NMP_TOO_BIG : nmp_recv_body(fd, buf, *len);
}

// Receives one message of at most max_bytes into a buffer that is kept for the
// next call, as getline(3) does. *buf is NULL or came from malloc(3), and *cap
// is its size; both are updated when it has to grow. The caller frees *buf at
// the end, whatever was returned. It grows with the bytes that have arrived,
// doubling from 1 MiB, so that an announcement alone costs no memory.
// Returns 0, NMP_EOF, NMP_TRUNCATED, NMP_BAD_LENGTH, NMP_TOO_BIG (*len is the
// announced length) or -errno, also -ENOMEM. Threads: one receiver.
static inline int nmp_recv_grow(int fd, size_t max_bytes, char **buf, size_t *cap, size_t *len) {
  size_t got = 0;
  int code = nmp_recv_size(fd, len);
  if (code != 0) return code;
  if (*len > max_bytes) return NMP_TOO_BIG;
  do {
    size_t end = got * 2 > NMP_FIRST_CHUNK_ ? got * 2 : NMP_FIRST_CHUNK_;
    if (end < *cap) end = *cap;
    if (end > *len) end = *len;
    if (*buf == NULL || end > *cap) {
      // An empty message gets a buffer too, so that NULL always means none.
      const size_t size = end > 0 ? end : 1;
      char *grown = (char *)realloc(*buf, size);
      if (grown == NULL) return -ENOMEM;
      *buf = grown;
      *cap = size;
    }
    code = nmp_recv_body(fd, *buf + got, end - got);
    if (code != 0) return code;
    got = end;
  } while (got < *len);
  return 0;
}

// Receives one message of at most max_bytes into a new buffer, which the
// caller frees with free(3); an empty message has one too, a failure leaves
// NULL. Growth, return codes and threads are those of nmp_recv_grow().
static inline int nmp_recv_alloc(int fd, size_t max_bytes, char **buf, size_t *len) {
  size_t cap = 0;
  *buf = NULL;
  const int code = nmp_recv_grow(fd, max_bytes, buf, &cap, len);
  if (code != 0) {
    free(*buf);
    *buf = NULL;
  }
  return code;
}

// Waits until there is something to receive, for at most timeout_ms
// milliseconds: 0 asks without waiting, a negative number waits for ever.
// Returns 1 for data (perhaps only a part of a message, so that the receive
// can still wait), the end of data or an error; 0 after the timeout; -errno.
// Threads: safe.
static inline int nmp_poll(int fd, int timeout_ms) { return nmp_wait_(fd, POLLIN, timeout_ms); }

// Closes fd in programs that this one executes. An inherited descriptor is not
// marked so, and a copy that leaks into a grandchild keeps the connection
// open: the other side would never see the end.
// Returns 0 or -errno. Threads: safe.
static inline int nmp_set_cloexec(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}

// One byte with room for one descriptor, as CPython's sendfds() sends it.
struct nmp_handle_ {
  struct msghdr message;
  struct iovec iov;
  char byte;
  union {
    size_t align;  // As struct cmsghdr, which must not be nested.
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
};

static inline void nmp_handle_init_(struct nmp_handle_ *h) {
  memset(h, 0, sizeof *h);
  h->iov.iov_base = &h->byte;
  h->iov.iov_len = 1;
  h->message.msg_iov = &h->iov;
  h->message.msg_iovlen = 1;
  h->message.msg_control = &h->control;
  h->message.msg_controllen = sizeof h->control;
}

// Sends a copy of the descriptor handle over the socket fd, as
// multiprocessing.reduction.send_handle() does: outside any frame, so the
// other side must expect it at this point. On macOS it waits for the byte 'A'
// with which CPython confirms there. Returns 0, -errno (-ENOTSOCK for a pipe)
// or, on macOS, NMP_EOF or NMP_BAD_HANDLE.
// Threads: one sender, and on macOS one receiver.
static inline int nmp_send_handle(int fd, int handle) {
  struct nmp_handle_ h;
  struct cmsghdr *item;
  int code = 0;
  nmp_handle_init_(&h);
  h.byte = 1;  // The number of descriptors.
  item = CMSG_FIRSTHDR(&h.message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof handle);
  memcpy(CMSG_DATA(item), &handle, sizeof handle);
  while (code == 0 && sendmsg(fd, &h.message, NMP_NOSIGNAL_) < 0) {
    code = nmp_retry_(fd, POLLOUT);
  }
#ifdef __APPLE__
  if (code == 0) code = nmp_read_(fd, &h.byte, 1, NMP_EOF);
  if (code == 0 && h.byte != 'A') code = NMP_BAD_HANDLE;
#endif
  return code;
}

// Receives a descriptor that was sent so, or by Connection.sendHandle(), and
// stores it, close-on-exec, in *handle; -1 after a failure. The caller closes.
// Returns 0, NMP_EOF, NMP_BAD_HANDLE (what came was closed) or -errno.
// Threads: one receiver, and on macOS one sender.
static inline int nmp_recv_handle(int fd, int *handle) {
  struct nmp_handle_ h;
  struct cmsghdr *item;
  ssize_t count;
  int handles = 0;
  *handle = -1;
  nmp_handle_init_(&h);
  while ((count = recvmsg(fd, &h.message, NMP_CLOEXEC_)) < 0) {
    const int code = nmp_retry_(fd, POLLIN);
    if (code != 0) return code;
  }
  item = CMSG_FIRSTHDR(&h.message);
  if (item != NULL && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS) {
    // On 64-bit systems the padding has room for a second one.
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= item->cmsg_len; i++) {
      if (*handle >= 0) close(*handle);
      memcpy(handle, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      if (NMP_CLOEXEC_ == 0) nmp_set_cloexec(*handle);
      handles++;
    }
  }
#ifdef __APPLE__
  if (count > 0 && send(fd, "A", 1, NMP_NOSIGNAL_) < 0) handles = 0;
#endif
  if (handles == 1 && h.byte == 1 && !(h.message.msg_flags & MSG_CTRUNC)) {
    return 0;
  }
  if (*handle >= 0) close(*handle);
  *handle = -1;
  return count == 0 ? NMP_EOF : NMP_BAD_HANDLE;
}

#endif  // NODE_MULTIPROCESSING_H_
