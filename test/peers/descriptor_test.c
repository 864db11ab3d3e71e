// SPDX-License-Identifier: MIT
//
// Checks what interop/c/node_multiprocessing.h does beside messages: closed
// peers, waiting, close-on-exec, handles. Valid as C and as C++. Prints TAP.
// Exit code 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "node_multiprocessing.h"

static int checks, failures;
static volatile sig_atomic_t signals;

static void check(int passed, const char *name) {
  printf("%sok %d - %s\n", passed ? "" : "not ", ++checks, name);
  if (!passed) failures++;
}

// What the checks rest on; its failure says nothing about the header.
static void must(long result, const char *what) {
  if (result >= 0) return;
  printf("Bail out! %s: %s\n", what, strerror(errno));
  exit(1);
}

// ends[0] receives and ends[1] sends.
static void open_channel(int is_socket, int ends[2]) {
  must(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), "open_channel");
}

static void close_both(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

static void raw_write(int fd, const void *bytes, size_t len) {
  if (write(fd, bytes, len) != (ssize_t)len) must(-1, "write");
}

static void count_signal(int number) {
  (void)number;
  signals = signals + 1;
}

static void handle_signal(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  signals = 0;
  must(sigaction(number, &action, NULL), "sigaction");
}

static void test_closed_peer(void) {
  int ends[2];
  char bytes[8];
  size_t len;
  handle_signal(SIGPIPE);
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
  const struct itimerval often = {{0, 5000}, {0, 5000}};
  const struct itimerval never = {{0, 0}, {0, 0}};
  int ends[2];
  char byte;
  open_channel(0, ends);
  int64_t start_ns = nmp_now_ns_();
  int good = nmp_poll(ends[0], 0) == 0 && nmp_poll(ends[0], 30) == 0;
  check(good && nmp_now_ns_() - start_ns >= 30000000, "nmp_poll waits for the whole timeout");
  handle_signal(SIGALRM);
  start_ns = nmp_now_ns_();
  must(setitimer(ITIMER_REAL, &often, NULL), "setitimer");
  good = nmp_poll(ends[0], 60) == 0 && nmp_now_ns_() - start_ns >= 60000000;
  must(setitimer(ITIMER_REAL, &never, NULL), "setitimer");
  check(good && signals > 0, "signals do not shorten nmp_poll");
  // The interval timer took the place of the alarm that guards the run.
  must(signal(SIGALRM, SIG_DFL) == SIG_ERR ? -1 : 0, "signal");
  alarm(120);
  raw_write(ends[1], "", 1);
  good = nmp_poll(ends[0], 0) == 1 && nmp_poll(ends[0], -1) == 1;
  close(ends[1]);
  good &= read(ends[0], &byte, 1) == 1 && nmp_poll(ends[0], -1) == 1;
  check(good, "nmp_poll sees one byte of a message and the end of data");
  close(ends[0]);
  check(nmp_poll(ends[0], -1) == -EBADF, "nmp_poll refuses a closed number");
}

static int is_cloexec(int fd) { return fcntl(fd, F_GETFD) & FD_CLOEXEC; }

static int open_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

// Sends up to three copies of fd beside one byte, which nmp_send_handle() never
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
  check(good, "a pipe carries no handles, and -1 is none");
  const int before = open_descriptors();
  raw_write(ends[1], "\1", 1);
  good = nmp_recv_handle(ends[0], &fd) == NMP_BAD_HANDLE && fd == -1;
  for (size_t count = 1; count < 4; count++) {
    send_handles(ends[1], count == 1 ? 2 : 1, 0, count);
    good &= nmp_recv_handle(ends[0], &fd) == NMP_BAD_HANDLE && fd == -1;
  }
  check(good && open_descriptors() == before,
        "none, a wrong count, two and three: NMP_BAD_HANDLE, nothing leaks");
  close(ends[1]);
  check(nmp_recv_handle(ends[0], &fd) == NMP_EOF && fd == -1, "no handle at the end of data");
  close(ends[0]);
  close_both(pipe_ends);
}

static void test_strerror(void) {
  int good = strcmp(nmp_strerror(-EPIPE), strerror(EPIPE)) == 0;
  for (int a = NMP_BAD_HANDLE; a <= NMP_EOF; a++) {
    for (int b = NMP_BAD_HANDLE; b < a; b++) {
      good &= strcmp(nmp_strerror(a), nmp_strerror(b)) != 0;
    }
  }
  check(good, "every return code has a text of its own");
}

int main(void) {
  const int before = open_descriptors();
  alarm(120);
  test_poll();
  test_closed_peer();
  test_handles();
  test_strerror();
  check(open_descriptors() == before, "no descriptor is left open");
  printf("1..%d\n", checks);
  return failures > 0;
}
