// SPDX-License-Identifier: MIT
//
// Sending descriptors over a socket. Included by node_multiprocessing.h.

#ifndef NODE_MULTIPROCESSING_HANDLE_H_
#define NODE_MULTIPROCESSING_HANDLE_H_

#include "base.h"

#ifdef MSG_CMSG_CLOEXEC
#define NMP_CLOEXEC_ MSG_CMSG_CLOEXEC
#else
#define NMP_CLOEXEC_ 0
#endif

// One byte with room for one descriptor, as CPython's sendfds() sends it.
struct nmp_handle_ {
  struct msghdr message;
  struct iovec iov;
  char byte;
  union {
    size_t align;  // Aligned as struct cmsghdr, which must not be nested.
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
// multiprocessing.reduction.send_handle() does: outside any message, so the
// other side must expect it at this point. On macOS it waits for the byte 'A',
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

// Receives a descriptor that was sent by nmp_send_handle(), by send_handle() or
// by Connection.sendHandle(), and stores it, close-on-exec, in *handle; -1 after
// a failure. The caller closes it.
// Returns 0, NMP_EOF, NMP_BAD_HANDLE (what arrived was closed) or -errno.
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
    // On 64-bit systems the padding has room for a second descriptor.
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

#endif  // NODE_MULTIPROCESSING_HANDLE_H_
