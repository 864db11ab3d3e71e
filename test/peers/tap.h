// SPDX-License-Identifier: MIT
//
// What the tests of interop/c share: checks that print TAP, children, signals, and
// messages in which a lost or moved byte is noticed.

#ifndef NODE_MULTIPROCESSING_TEST_TAP_H_
#define NODE_MULTIPROCESSING_TEST_TAP_H_

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static int checks, failures;
static volatile sig_atomic_t signals;

static inline void check(int passed, const char *format, ...) {
  va_list args;
  printf("%sok %d - ", passed ? "" : "not ", ++checks);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  printf("\n");
  fflush(stdout);
  if (!passed) failures++;
}

// Prints the plan. Returns the exit code.
static inline int finish(void) {
  printf("1..%d\n", checks);
  return failures > 0;
}

// A precondition of the checks. Its failure says nothing about the headers.
static inline int must(long result, const char *what) {
  if (result >= 0) return (int)result;
  printf("Bail out! %s: %s\n", what, strerror(errno));
  exit(1);
}

static inline void on_signal(int number) {
  (void)number;
  signals = signals + 1;
}

// Without SA_RESTART, so that system calls return EINTR.
static inline void count_signal(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  signals = 0;
  must(sigaction(number, &action, NULL), "sigaction");
}

static inline void every(long microseconds) {
  const struct itimerval interval = {{0, microseconds}, {0, microseconds}};
  must(setitimer(ITIMER_REAL, &interval, NULL), "setitimer");
}

// Ends a run that hangs.
static inline void guard_run(void) {
  must(signal(SIGALRM, SIG_DFL) == SIG_ERR ? -1 : 0, "signal");
  alarm(120);
}

// A signal every 2 milliseconds, instead of the one that ends a run that hangs.
static inline void begin_signals(void) {
  count_signal(SIGALRM);
  every(2000);
}

static inline void end_signals(void) {
  every(0);
  guard_run();
}

// ends[0] receives and ends[1] sends.
static inline void open_channel(int is_socket, int ends[2]) {
  must(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), "open_channel");
}

static inline void close_both(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

static inline int open_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static inline void raw_write(int fd, const void *bytes, size_t len) {
  if (write(fd, bytes, len) != (ssize_t)len) must(-1, "write");
}

static inline char pattern(size_t i) { return (char)((i * 7 + (i >> 8)) & 0x7f); }

static inline char *make_message(size_t len) {
  char *message = (char *)calloc(1, len + 1);
  if (message == NULL) must(-1, "calloc");
  for (size_t i = 0; i < len; i++) message[i] = pattern(i);
  return message;
}

static inline int matches(const char *message, size_t len, size_t expected) {
  if (len != expected || message == NULL) return 0;
  while (len > 0 && message[len - 1] == pattern(len - 1)) len--;
  return len == 0;
}

static inline int exited_well(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status == 0;
}

#endif  // NODE_MULTIPROCESSING_TEST_TAP_H_
