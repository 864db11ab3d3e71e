// SPDX-License-Identifier: MIT
//
// A member of queues that another program has created.
//
//   queue_worker echo JOBS RESULTS     puts what it gets from one queue on the
//                                      other, and reports each item as done if
//                                      JOBS is a JoinableQueue; ends with the
//                                      item "stop"
//   queue_worker put QUEUE COUNT SIZE  puts items that Python can unpickle: bytes
//                                      objects, of which byte i is i modulo 256
//   queue_worker take QUEUE            prints the length of each item; ends with
//                                      the item "stop"
//   queue_worker timeouts QUEUE        gets and puts once each, for 20 ms
//   queue_worker hold QUEUE            takes the readers' lock and waits
//
// queue_words.h says what a queue looks like on the command line.
//
// The program prints "ready" when its queues are open, and with `echo` at the end
// how many SIGUSR1 have arrived. Exit codes: 0, 2 for wrong usage, 3 for a failure,
// which it prints.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_multiprocessing.h"
#include "queue_words.h"

static volatile sig_atomic_t signals;

static void count_signal(int number) {
  (void)number;
  signals = signals + 1;
}

static int fail(const char *what, int code) {
  printf("%s: %s\n", what, nmp_strerror(code));
  return 3;
}

// A short item that contains "stop", as bytes or inside a pickle.
static int is_stop(const char *item, size_t len) {
  if (len > 32) return 0;
  for (size_t i = 0; i + 4 <= len; i++) {
    if (memcmp(item + i, "stop", 4) == 0) return 1;
  }
  return 0;
}

static int echo(struct nmp_queue *jobs, struct nmp_queue *results) {
  char *item = NULL;
  size_t cap = 0, len;
  int code, stopped = 0;
  while (!stopped) {
    code = nmp_queue_get_grow(jobs, NMP_DEFAULT_MAX_BYTES, &item, &cap, &len, -1);
    if (code != 0) return fail("get", code);
    stopped = is_stop(item, len);
    if (!stopped) code = nmp_queue_put(results, item, len, -1);
    if (code != 0) return fail("put", code);
    if (jobs->unfinished != NULL) code = nmp_queue_task_done(jobs, -1);
    if (code != 0) return fail("task_done", code);
  }
  free(item);
  if (jobs->unfinished != NULL) printf("%s\n", nmp_strerror(nmp_queue_task_done(jobs, -1)));
  printf("%d signals\n", (int)signals);
  return 0;
}

static int put(struct nmp_queue *queue, int count, size_t size) {
  char *item = (char *)malloc(size + 8);
  if (item == NULL) return fail("allocate", -ENOMEM);
  // Protocol 3, BINBYTES with a little-endian length, STOP.
  memcpy(item,
         "\x80\x03"
         "B",
         3);
  for (int i = 0; i < 4; i++) item[3 + i] = (char)(size >> 8 * i & 0xff);
  for (size_t i = 0; i < size; i++) item[7 + i] = (char)(i & 0xff);
  item[7 + size] = '.';
  int code = 0;
  for (int i = 0; i < count && code == 0; i++) code = nmp_queue_put(queue, item, size + 8, -1);
  free(item);
  return code == 0 ? 0 : fail("put", code);
}

static int take(struct nmp_queue *queue) {
  char *item = NULL;
  size_t cap = 0, len;
  int code, stopped = 0;
  while (!stopped) {
    code = nmp_queue_get_grow(queue, NMP_DEFAULT_MAX_BYTES, &item, &cap, &len, -1);
    if (code != 0) return fail("get", code);
    stopped = is_stop(item, len);
    if (!stopped) printf("%lu\n", (unsigned long)len);
    fflush(stdout);
  }
  free(item);
  return 0;
}

static int timeouts(struct nmp_queue *queue) {
  char item[64];
  size_t len;
  printf("%s\n", nmp_strerror(nmp_queue_get(queue, item, sizeof item, &len, 20)));
  printf("%s\n", nmp_strerror(nmp_queue_put(queue, "", 0, 20)));
  return 0;
}

static int hold(struct nmp_queue *queue) {
  const int code = nmp_sem_wait(queue->rlock, -1);
  if (code != 0) return fail("hold", code);
  puts("holding");
  fflush(stdout);
  for (;;) pause();
}

int main(int argc, char **argv) {
  struct nmp_queue queue, results;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  sigaction(SIGUSR1, &action, NULL);
  if (argc < 3) return 2;
  const char *const mode = argv[1];
  int code = open_queue(&queue, argv[2]);
  if (code == 0 && strcmp(mode, "echo") == 0 && argc == 4) code = open_queue(&results, argv[3]);
  if (code != 0) return fail("open", code);
  puts("ready");
  fflush(stdout);
  if (strcmp(mode, "echo") == 0 && argc == 4) return echo(&queue, &results);
  if (strcmp(mode, "put") == 0 && argc == 5)
    return put(&queue, atoi(argv[3]), (size_t)atol(argv[4]));
  if (strcmp(mode, "take") == 0) return take(&queue);
  if (strcmp(mode, "timeouts") == 0) return timeouts(&queue);
  if (strcmp(mode, "hold") == 0) return hold(&queue);
  return 2;
}
