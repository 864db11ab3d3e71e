// SPDX-License-Identifier: MIT
//
// Checks what interop/c/node_multiprocessing.h does apart from messages: closed
// peers, waiting, close-on-exec, handles. Valid as C and as C++. Prints TAP.
// Exit code 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include "node_multiprocessing.h"
#include "tap.h"

static void test_closed_peer(void) {
  int ends[2];
  char bytes[8];
  size_t len;
  count_signal(SIGPIPE);
  open_channel(1, ends);
  close(ends[0]);
  check(nmp_send(ends[1], "x", 1) == -EPIPE && signals == 0,
        "a closed socketpair: EPIPE without a signal");
  int good = nmp_send_plain(ends[1], NULL, 0) == -EPIPE && signals == 1;
  close(ends[1]);
  open_channel(0, ends);
  close(ends[0]);
  good &= nmp_send(ends[1], "x", 1) == -EPIPE && signals == 2;
  check(good, "writev and pipes: EPIPE with a signal");
  good = nmp_ignore_sigpipe() == 0;
  good &= nmp_send(ends[1], NULL, 0) == -EPIPE && signals == 2;
  check(good, "nmp_ignore_sigpipe: EPIPE without a signal");
  close(ends[1]);
  open_channel(1, ends);
  raw_write(ends[0], "unread", 6);
  close(ends[1]);
  check(nmp_recv(ends[0], bytes, 8, &len) == -ECONNRESET,
        "a peer that closed with unread data: ECONNRESET");
  close(ends[0]);
}

static void test_poll(void) {
  int ends[2];
  char byte;
  open_channel(0, ends);
  int64_t start_ns = nmp_now_ns_();
  int good = nmp_poll(ends[0], 0) == 0 && nmp_poll(ends[0], 30) == 0;
  check(good && nmp_now_ns_() - start_ns >= 30000000, "nmp_poll waits for the whole timeout");
  begin_signals();
  start_ns = nmp_now_ns_();
  good = nmp_poll(ends[0], 60) == 0 && nmp_now_ns_() - start_ns >= 60000000;
  end_signals();
  check(good && signals > 0, "signals do not shorten nmp_poll");
  raw_write(ends[1], "", 1);
  good = nmp_poll(ends[0], 0) == 1 && nmp_poll(ends[0], -1) == 1;
  close(ends[1]);
  good &= read(ends[0], &byte, 1) == 1 && nmp_poll(ends[0], -1) == 1;
  check(good, "nmp_poll sees one byte of a message and the end of data");
  close(ends[0]);
  check(nmp_poll(ends[0], -1) == -EBADF, "nmp_poll refuses a closed descriptor");
}

static int is_cloexec(int fd) { return fcntl(fd, F_GETFD) & FD_CLOEXEC; }

// Sends up to three copies of fd with one byte, which nmp_send_handle() never
// does.
static void send_handles(int channel, char byte, int fd, size_t count) {
  const int fds[3] = {fd, fd, fd};
  size_t control[16] = {0};
  struct nmp_handle_ h;
  nmp_handle_init_(&h);
  h.byte = byte;
  h.message.msg_control = control;
  h.message.msg_controllen = CMSG_SPACE(count * sizeof fd);
  struct cmsghdr *item = CMSG_FIRSTHDR(&h.message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(count * sizeof fd);
  memcpy(CMSG_DATA(item), fds, count * sizeof fd);
  must(sendmsg(channel, &h.message, 0), "sendmsg");
}

static void test_handles(void) {
  int ends[2], pipe_ends[2], fd = -1;
  char bytes[4];
  open_channel(1, ends);
  open_channel(0, pipe_ends);
  int good = !is_cloexec(ends[0]) && nmp_set_cloexec(ends[0]) == 0;
  good &= is_cloexec(ends[0]) && nmp_set_cloexec(-1) == -EBADF;
  check(good, "nmp_set_cloexec sets the flag");
  good = nmp_send_handle(ends[1], pipe_ends[1]) == 0;
  good &= nmp_recv_handle(ends[0], &fd) == 0 && is_cloexec(fd);
  raw_write(fd, "via", 3);
  close(fd);
  good &= read(pipe_ends[0], bytes, 4) == 3 && memcmp(bytes, "via", 3) == 0;
  check(good, "a handle arrives, close-on-exec, and works");
  good = nmp_send_handle(pipe_ends[1], 0) == -ENOTSOCK;
  good &= nmp_send_handle(ends[1], -1) == -EBADF;
  check(good, "a pipe cannot carry handles, and -1 is no handle");
  const int before = open_descriptors();
  raw_write(ends[1], "\1", 1);
  good = nmp_recv_handle(ends[0], &fd) == NMP_BAD_HANDLE && fd == -1;
  for (size_t count = 1; count < 4; count++) {
    send_handles(ends[1], count == 1 ? 2 : 1, 0, count);
    good &= nmp_recv_handle(ends[0], &fd) == NMP_BAD_HANDLE && fd == -1;
  }
  check(good && open_descriptors() == before,
        "no handle, a wrong count, two and three: NMP_BAD_HANDLE, nothing leaks");
  close(ends[1]);
  check(nmp_recv_handle(ends[0], &fd) == NMP_EOF && fd == -1, "no handle at the end of data");
  close(ends[0]);
  close_both(pipe_ends);
}

static void test_strerror(void) {
  int good = strcmp(nmp_strerror(-EPIPE), strerror(EPIPE)) == 0;
  for (int a = NMP_TASK_DONE; a <= NMP_EOF; a++) {
    for (int b = NMP_TASK_DONE; b < a; b++) {
      good &= strcmp(nmp_strerror(a), nmp_strerror(b)) != 0;
    }
  }
  check(good, "every return code has its own text");
}

int main(void) {
  const int before = open_descriptors();
  guard_run();
  test_poll();
  test_closed_peer();
  test_handles();
  test_strerror();
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
