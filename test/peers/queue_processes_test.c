// SPDX-License-Identifier: MIT
//
// Checks interop/c's queues between processes and threads: sizes, several members
// at a time, members that are killed. Valid as C and as C++. Prints TAP. Exit code
// 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include <pthread.h>

#include "queues.h"

static const size_t sizes[] = {0, 1, 4092, 4096, 16385, 65536, MIB};
enum { SIZES = sizeof sizes / sizeof sizes[0], ROUNDS = 3 };

// Closes the ends that a child does not use, so that the other side sees the end.
static int put_sizes(struct queue_pair *q) {
  int bad = 0;
  nmp_queue_close(&q->getter);
  for (int i = 0; i < SIZES * ROUNDS && !bad; i++) {
    char *message = make_message(sizes[i / ROUNDS]);
    bad = nmp_queue_put(&q->putter, message, sizes[i / ROUNDS], -1) != 0;
    free(message);
  }
  nmp_queue_close(&q->putter);
  return bad;
}

// Gets with one of three functions; the buffer is large enough or too small.
static int get_one(struct nmp_queue *getter, size_t size, int way) {
  char *got = NULL;
  size_t len = 0, cap = 0;
  int code;
  if (way == 0) {
    code = nmp_queue_get_alloc(getter, size, &got, &len, -1);
  } else {
    const size_t room = way == 1 ? size : size / 2;
    got = (char *)malloc(room + 1);
    cap = room + 1;
    code = nmp_queue_get(getter, got, room, &len, 60000);
    if (room < size) {
      if (code != NMP_TOO_BIG || len != size) return 0;
      code = nmp_queue_get_grow(getter, size, &got, &cap, &len, 0);
    }
  }
  const int good = code == 0 && matches(got, len, size);
  free(got);
  return good;
}

static void test_sizes(int maxsize, int flag) {
  struct queue_pair q = make_queue(maxsize, 0);
  char byte;
  size_t len;
  const int places = maxsize > 0 ? maxsize : INT_MAX;
  must(fcntl(q.getter.reader, F_SETFL, fcntl(q.getter.reader, F_GETFL) | flag), "F_SETFL");
  must(fcntl(q.putter.writer, F_SETFL, fcntl(q.putter.writer, F_GETFL) | flag), "F_SETFL");
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) _exit(put_sizes(&q));
  close(q.putter.writer);
  q.putter.writer = -1;
  int good = 1;
  begin_signals();
  for (int i = 0; i < SIZES * ROUNDS && good; i++) {
    good = get_one(&q.getter, sizes[i / ROUNDS], i % ROUNDS);
  }
  good = good && nmp_queue_get(&q.getter, &byte, 1, &len, -1) == NMP_EOF;
  end_signals();
  check(exited_well(pid) && good && is_idle(&q, places),
        "maxsize %d, %sblocking: all sizes, under signals, and the end of data", maxsize,
        flag ? "non-" : "");
  close_queue(&q);
}

// Items of these tests: a number, then bytes that depend on it.
static size_t make_item(char *item, uint32_t number) {
  const size_t len = sizeof number + (number * 2654435761u) % 12000;
  memcpy(item, &number, sizeof number);
  memset(item + sizeof number, (int)(number & 0x7f), len - sizeof number);
  return len;
}

static int is_item(const char *item, size_t len, uint32_t *number) {
  static char expected[16384];
  if (len < sizeof *number) return 0;
  memcpy(number, item, sizeof *number);
  return len == make_item(expected, *number) && memcmp(item, expected, len) == 0;
}

enum { ITEMS = 150, PUTTERS = 3, GETTERS = 3 };

static int put_items(struct nmp_queue *putter, uint32_t first) {
  char item[16384];
  for (uint32_t i = first; i < first + ITEMS; i++) {
    const int timeout = i % 3 == 0 ? 0 : 60000;
    const size_t len = make_item(item, i);
    int code;
    do code = nmp_queue_put(putter, item, len, timeout);
    while (code == NMP_FULL);
    if (code != 0) return 1;
  }
  return 0;
}

// Gets until an empty item comes, and passes the numbers on.
static int get_items(struct nmp_queue *getter, int results) {
  char item[16384];
  size_t len;
  uint32_t number;
  for (uint32_t i = 0;; i++) {
    const int code = nmp_queue_get(getter, item, sizeof item, &len, i % 3 == 0 ? 0 : 60000);
    if (code == NMP_EMPTY) continue;
    if (code == 0 && len == 0) return 0;
    if (code != 0 || !is_item(item, len, &number)) return 1;
    raw_write(results, &number, sizeof number);
  }
}

static void test_many(int maxsize) {
  struct queue_pair q = make_queue(maxsize, 0);
  int results[2], good = 1, seen[PUTTERS * ITEMS] = {0};
  pid_t putters[PUTTERS], getters[GETTERS];
  open_channel(0, results);
  for (int i = 0; i < GETTERS; i++) {
    getters[i] = must(fork(), "fork");
    if (getters[i] == 0) _exit(get_items(&q.getter, results[1]));
  }
  for (int i = 0; i < PUTTERS; i++) {
    putters[i] = must(fork(), "fork");
    if (putters[i] == 0) _exit(put_items(&q.putter, (uint32_t)(i * ITEMS)));
  }
  for (int i = 0; i < PUTTERS; i++) good &= exited_well(putters[i]);
  for (int i = 0; i < GETTERS; i++) good &= nmp_queue_put(&q.putter, NULL, 0, -1) == 0;
  for (int i = 0; i < GETTERS; i++) good &= exited_well(getters[i]);
  close(results[1]);
  uint32_t number;
  while (read(results[0], &number, sizeof number) == sizeof number) {
    if (number < PUTTERS * ITEMS) seen[number]++;
  }
  close(results[0]);
  for (int i = 0; i < PUTTERS * ITEMS; i++) good &= seen[i] == 1;
  check(good && is_idle(&q, maxsize > 0 ? maxsize : INT_MAX),
        "maxsize %d: %d putters, %d getters, every item once", maxsize, PUTTERS, GETTERS);
  close_queue(&q);
}

struct task {
  struct nmp_queue *putter;
  uint32_t first;
  int bad;
};

static void *run_task(void *argument) {
  struct task *task = (struct task *)argument;
  task->bad = put_items(task->putter, task->first);
  return NULL;
}

static void test_threads(void) {
  struct queue_pair q = make_queue(5, 0);
  pthread_t threads[PUTTERS];
  struct task tasks[PUTTERS];
  int good = 1, seen[PUTTERS * ITEMS] = {0};
  uint32_t next[PUTTERS], number;
  char item[16384];
  size_t len;
  for (uint32_t i = 0; i < PUTTERS; i++) {
    tasks[i].putter = &q.putter;
    tasks[i].first = next[i] = i * ITEMS;
    good &= pthread_create(&threads[i], NULL, run_task, &tasks[i]) == 0;
  }
  for (int i = 0; i < PUTTERS * ITEMS && good; i++) {
    good = nmp_queue_get(&q.getter, item, sizeof item, &len, -1) == 0;
    good = good && is_item(item, len, &number) && number < PUTTERS * ITEMS;
    good = good && number == next[number / ITEMS]++ && ++seen[number] == 1;
  }
  for (int i = 0; i < PUTTERS; i++) good &= pthread_join(threads[i], NULL) == 0 && !tasks[i].bad;
  check(good && is_idle(&q, 5), "%d threads put on one queue, each in order", PUTTERS);
  close_queue(&q);
}

// Starts a child, and kills it when it reports that it begins.
static void kill_in(int (*run)(struct queue_pair *q), struct queue_pair *q) {
  int ready[2], status = 0;
  char byte;
  open_channel(0, ready);
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) {
    raw_write(ready[1], "", 1);
    _exit(run(q));
  }
  must(read(ready[0], &byte, 1) == 1 ? 0 : -1, "read");
  must(kill(pid, SIGKILL), "kill");
  must(waitpid(pid, &status, 0), "waitpid");
  if (!WIFSIGNALED(status)) must(-1, "a child that waits for ever");
  close_both(ready);
}

static int wait_to_get(struct queue_pair *q) {
  char byte;
  size_t len;
  return nmp_queue_get(&q->getter, &byte, 1, &len, -1);
}

static int wait_to_put(struct queue_pair *q) { return nmp_queue_put(&q->putter, "x", 1, -1); }

static void test_killed(void) {
  enum { KILLS = 20 };
  struct queue_pair q = make_queue(KILLS + 5, 0);
  char byte;
  size_t len;
  int good = 1;
  for (int i = 0; i < KILLS && good; i++) {
    kill_in(wait_to_get, &q);
    good = is_idle(&q, KILLS + 5) && nmp_queue_put(&q.putter, "a", 1, 0) == 0;
    good = good && nmp_queue_get(&q.getter, &byte, 1, &len, 0) == 0 && byte == 'a';
  }
  check(good, "waiting getters hold nothing when they are killed");
  size_t left = fill(q.putter.writer);
  for (int i = 0; i < KILLS && good; i++) {
    kill_in(wait_to_put, &q);
    good = nmp_sem_value(q.putter.wlock) == 1;
  }
  while (good && left > 0) left -= (size_t)must(read(q.getter.reader, &byte, 1), "read");
  good = good && nmp_sem_value(q.putter.places) <= KILLS + 5;
  good = good && nmp_queue_put(&q.putter, "b", 1, -1) == 0;
  good = good && nmp_queue_get(&q.getter, &byte, 1, &len, -1) == 0 && byte == 'b';
  check(good, "putters that wait for room hold no lock when they are killed");
  close_queue(&q);
}

int main(void) {
  const int before = open_descriptors();
  guard_run();
  test_sizes(0, 0);
  test_sizes(1, 0);
  test_sizes(2, O_NONBLOCK);
  test_many(0);
  test_many(1);
  test_many(7);
  test_threads();
  test_killed();
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
