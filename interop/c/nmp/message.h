// SPDX-License-Identifier: MIT
//
// Messages over a descriptor. Included by node_multiprocessing.h.
//
// A message is a signed 32-bit big-endian length and that many bytes. Above
// 2^31-1 bytes the length is -1, followed by an unsigned 64-bit big-endian
// length. Receivers accept both forms for any size.
//
// After a failure other than NMP_EOF and NMP_TOO_BIG the position in the stream
// is unknown, and the descriptor can only be closed.
//
// "One sender" and "one receiver" below mean that several of them, in this
// process or in others, need a lock around the whole call: neither a write above
// PIPE_BUF bytes nor the reads of one message are atomic.

#ifndef NODE_MULTIPROCESSING_MESSAGE_H_
#define NODE_MULTIPROCESSING_MESSAGE_H_

#include "base.h"

// The longest message that Node accepts by default, in bytes: a good max_bytes
// for nmp_recv_alloc() and nmp_recv_grow().
#define NMP_DEFAULT_MAX_BYTES ((size_t)1 << 30)

#define NMP_FIRST_CHUNK_ ((size_t)1 << 20)  // First step of a growing buffer.

// Encodes the header for len bytes and returns its size, 4 or 12.
static inline size_t nmp_encode_header_(uint64_t len, unsigned char *out) {
  const size_t digits = len > 0x7fffffff ? 8 : 4;
  const size_t size = digits == 8 ? 12 : 4;
  memset(out, 0xff, 4);
  for (size_t i = 1; i <= digits; i++, len >>= 8) out[size - i] = len & 0xff;
  return size;
}

// Sends with writev(2) if plain is set. Otherwise with sendmsg(2), which alone
// can suppress SIGPIPE, unless the descriptor turns out to be no socket.
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
// payload are written in one system call if the kernel has room for them. On a
// socket whose other end is closed the call returns -EPIPE without a signal. On a
// pipe, and without MSG_NOSIGNAL, it raises SIGPIPE unless that is ignored: see
// nmp_ignore_sigpipe().
// Returns 0, NMP_BAD_LENGTH or -errno. Threads: one sender.
static inline int nmp_send(int fd, const void *buf, size_t len) {
  return nmp_send_(fd, 0, buf, len);
}

// The same with writev(2) only, for pipes and for programs that ignore SIGPIPE:
// nmp_send() needs a failed sendmsg(2) to learn that a pipe is no socket.
// Returns 0, NMP_BAD_LENGTH or -errno. Threads: one sender.
static inline int nmp_send_plain(int fd, const void *buf, size_t len) {
  return nmp_send_(fd, 1, buf, len);
}

// Receives the header of the next message and stores the length of its body,
// in bytes, in *size. The program must receive exactly that many next, with
// nmp_recv_body(); an empty message has no body.
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

// Receives len bytes of a body whose header was read. A body may be received in
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

// Receives a body of len bytes into a buffer like that of nmp_recv_grow(). *got
// counts the bytes that were received, also when the call fails.
static inline int nmp_recv_body_grow_(int fd, size_t len, char **buf, size_t *cap, size_t *got) {
  *got = 0;
  do {
    size_t end = *got * 2 > NMP_FIRST_CHUNK_ ? *got * 2 : NMP_FIRST_CHUNK_;
    if (end < *cap) end = *cap;
    if (end > len) end = len;
    if (*buf == NULL || end > *cap) {
      // An empty message gets a buffer too, so that NULL always means none.
      const size_t size = end > 0 ? end : 1;
      char *grown = (char *)realloc(*buf, size);
      if (grown == NULL) return -ENOMEM;
      *buf = grown;
      *cap = size;
    }
    const int code = nmp_recv_body(fd, *buf + *got, end - *got);
    if (code != 0) return code;
    *got = end;
  } while (*got < len);
  return 0;
}

// Receives one message of at most max_bytes into a buffer that is kept for the
// next call, as getline(3) does. *buf is NULL or came from malloc(3), and *cap
// is its size; both are updated when the buffer grows. The caller frees *buf at
// the end, whatever the call returns. The buffer grows with the bytes that have
// arrived, doubling from 1 MiB, so that an announced length alone costs no memory.
// Returns 0, NMP_EOF, NMP_TRUNCATED, NMP_BAD_LENGTH, NMP_TOO_BIG (*len is the
// announced length) or -errno, also -ENOMEM. Threads: one receiver.
static inline int nmp_recv_grow(int fd, size_t max_bytes, char **buf, size_t *cap, size_t *len) {
  size_t got;
  const int code = nmp_recv_size(fd, len);
  if (code != 0) return code;
  return *len > max_bytes ? NMP_TOO_BIG : nmp_recv_body_grow_(fd, *len, buf, cap, &got);
}

// Receives one message of at most max_bytes into a new buffer, which the caller
// frees with free(3). An empty message gets a buffer too; a failure leaves NULL.
// Growth, return codes and threads are those of nmp_recv_grow().
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

#endif  // NODE_MULTIPROCESSING_MESSAGE_H_
