// SPDX-License-Identifier: MIT
//
// Queues for the tests of interop/c, created as CPython creates them.

#ifndef NODE_MULTIPROCESSING_TEST_QUEUES_H_
#define NODE_MULTIPROCESSING_TEST_QUEUES_H_

#include "semaphores.h"

// One queue, opened once to get and once to put, so that each end can be closed
// separately. Children inherit both by fork().
struct queue_pair {
  struct nmp_queue getter;
  struct nmp_queue putter;
};

enum { RLOCK, WLOCK, PLACES, UNFINISHED, LOCK, SLEEPING, WOKEN, WAIT, PARTS };

// maxsize 0 means a queue without a limit, -1 a SimpleQueue.
static inline struct queue_pair make_queue(int maxsize, int joinable) {
  struct queue_pair pair;
  struct nmp_queue_parts parts;
  struct name names[PARTS];
  int ends[2];
  open_channel(0, ends);
  const unsigned places = maxsize > 0 ? (unsigned)maxsize : INT_MAX;
  const unsigned values[PARTS] = {1, 1, places, 0, 1, 0, 0, 0};
  for (int i = 0; i < PARTS; i++) names[i] = make_name(values[i]);
  memset(&parts, 0, sizeof parts);
  parts.rlock = names[RLOCK].text;
  parts.wlock = names[WLOCK].text;
  if (maxsize >= 0) parts.places = names[PLACES].text;
  parts.maxsize = maxsize;
  if (joinable) {
    parts.unfinished = names[UNFINISHED].text;
    parts.lock = names[LOCK].text;
    parts.sleeping = names[SLEEPING].text;
    parts.woken = names[WOKEN].text;
    parts.wait = names[WAIT].text;
  }
  parts.reader = ends[0];
  parts.writer = -1;
  if (nmp_queue_open(&pair.getter, &parts) != 0) must(-1, "nmp_queue_open");
  parts.reader = -1;
  parts.writer = ends[1];
  if (nmp_queue_open(&pair.putter, &parts) != 0) must(-1, "nmp_queue_open");
  for (int i = 0; i < PARTS; i++) must(sem_unlink(names[i].text), "sem_unlink");
  return pair;
}

static inline void close_queue(struct queue_pair *pair) {
  nmp_queue_close(&pair->getter);
  nmp_queue_close(&pair->putter);
}

// Whether both locks are free, and this many places.
static inline int is_idle(const struct queue_pair *pair, int places) {
  int good = nmp_sem_value(pair->getter.rlock) == 1 && nmp_sem_value(pair->putter.wlock) == 1;
  if (pair->putter.places != NULL) good &= nmp_sem_value(pair->putter.places) == places;
  return good;
}

// Fills the pipe, so that there is no room for the beginning of an item.
static inline size_t fill(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  char bytes[4096] = {0};
  size_t count = 0;
  must(fcntl(fd, F_SETFL, flags | O_NONBLOCK), "F_SETFL");
  while (write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) count += sizeof bytes;
  must(fcntl(fd, F_SETFL, flags), "F_SETFL");
  return count;
}

#endif  // NODE_MULTIPROCESSING_TEST_QUEUES_H_
