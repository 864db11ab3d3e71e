// SPDX-License-Identifier: MIT
//
// Checks in one process what each call of interop/c's queues returns and changes.
// queue_processes_test.c uses several processes. Valid as C and as C++. Prints
// TAP. Exit code 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include <stdlib.h>

// Acts as if memory ran out.
static int refusals;
static void *refused_realloc(void *old, size_t size) {
  return refusals > 0 && refusals-- == 1 ? NULL : realloc(old, size);
}
#define realloc refused_realloc
#include "node_multiprocessing.h"
#undef realloc

#include "queues.h"

#define MS ((int64_t)1000000)

static void test_open(void) {
  const struct name missing = new_name(), name = make_name(1);
  struct nmp_queue_parts parts;
  struct nmp_queue queue;
  int ends[2];
  const int before = open_descriptors();
  open_channel(0, ends);
  memset(&parts, 0, sizeof parts);
  parts.reader = parts.writer = -1;
  int good = nmp_queue_open(&queue, &parts) == -EINVAL;
  parts.reader = ends[0];
  good &= nmp_queue_open(&queue, &parts) == -EINVAL;
  parts.rlock = name.text;
  parts.wait = name.text;
  good &= nmp_queue_open(&queue, &parts) == -EINVAL;
  parts.wait = NULL;
  parts.writer = ends[1];
  good &= nmp_queue_open(&queue, &parts) == -EINVAL;
  check(good, "a queue without an end, a lock, or with parts of a JoinableQueue: EINVAL");
  parts.wlock = missing.text;
  good = nmp_queue_open(&queue, &parts) == -ENOENT;
  parts.wlock = name.text;
  parts.writer = 255;
  good &= nmp_queue_open(&queue, &parts) == -EBADF;
  good &= open_descriptors() == before + 2;
  check(good, "a missing name: ENOENT; a closed descriptor: EBADF; nothing is closed");
  parts.writer = ends[1];
  good = nmp_queue_open(&queue, &parts) == 0;
  good &= (fcntl(ends[0], F_GETFD) & FD_CLOEXEC) && (fcntl(ends[1], F_GETFD) & FD_CLOEXEC);
  nmp_queue_close(&queue);
  check(good && open_descriptors() == before, "an open queue owns its descriptors");
  nmp_queue_close(&queue);
  must(sem_unlink(name.text), "sem_unlink");
}

static void test_one_item(void) {
  struct queue_pair q = make_queue(2, 0), simple = make_queue(-1, 0);
  char bytes[16], *got = NULL;
  size_t len = 9, cap = 0;
  int good = nmp_queue_put(&q.putter, "hi", 2, -1) == 0 && is_idle(&q, 1);
  good &= read(q.getter.reader, bytes, sizeof bytes) == 6 && memcmp(bytes, "\0\0\0\2hi", 6) == 0;
  check(good, "an item is a message, and takes a place");
  nmp_sem_post(q.putter.places);
  good = nmp_queue_put(&q.putter, NULL, 0, -1) == 0 && nmp_queue_put(&q.putter, "abc", 3, 0) == 0;
  good &= nmp_queue_get(&q.getter, NULL, 0, &len, -1) == 0 && len == 0 && is_idle(&q, 1);
  good &= nmp_queue_get(&q.getter, bytes, 3, &len, 0) == 0 && len == 3 && is_idle(&q, 2);
  check(good && memcmp(bytes, "abc", 3) == 0, "items are got into memory of their size, in order");
  good = nmp_queue_put(&q.putter, NULL, 0, -1) == 0 && nmp_queue_put(&q.putter, "xy", 2, 0) == 0;
  good &= nmp_queue_get_alloc(&q.getter, 0, &got, &len, -1) == 0 && len == 0 && got != NULL;
  free(got);
  got = NULL;
  good &= nmp_queue_get_grow(&q.getter, 2, &got, &cap, &len, 5) == 0 && len == 2 && cap >= 2;
  check(good && memcmp(got, "xy", 2) == 0 && is_idle(&q, 2), "or into memory that is allocated");
  free(got);
  good = nmp_queue_put(&simple.putter, "s", 1, 0) == 0;
  good &= nmp_queue_get(&simple.getter, bytes, 1, &len, 0) == 0 && bytes[0] == 's';
  check(good && is_idle(&simple, 0), "a SimpleQueue has no places");
  good = nmp_queue_get(&q.putter, bytes, 1, &len, 0) == -EBADF && len == 0;
  good &= nmp_queue_put(&q.getter, "x", 1, 0) == -EBADF && is_idle(&q, 2);
  check(good, "a queue that was opened for one direction refuses the other: EBADF");
  close_queue(&q);
  close_queue(&simple);
}

// Makes one call that must time out, without waiting and after 20 milliseconds.
static int times_out(struct nmp_queue *queue, int put, int code) {
  char byte;
  size_t len;
  int good = 1;
  for (int timeout = 0; timeout <= 20; timeout += 20) {
    const int64_t start = nmp_now_ns_();
    good &= code == (put ? nmp_queue_put(queue, "x", 1, timeout)
                         : nmp_queue_get(queue, &byte, 1, &len, timeout));
    good &= nmp_now_ns_() - start >= timeout * MS;
  }
  return good;
}

static void test_timeouts(void) {
  struct queue_pair q = make_queue(2, 0);
  char byte;
  size_t len;
  check(times_out(&q.getter, 0, NMP_EMPTY) && is_idle(&q, 2), "an empty queue: NMP_EMPTY");
  nmp_sem_wait(q.putter.wlock, -1);
  int good = times_out(&q.putter, 1, NMP_FULL) && nmp_sem_release(q.putter.wlock, 1) == 0;
  check(good && is_idle(&q, 2),
        "another putter holds the lock: NMP_FULL, and the place is returned");
  good = nmp_queue_put(&q.putter, "1", 1, 0) == 0 && nmp_queue_put(&q.putter, "2", 1, 0) == 0;
  check(good && times_out(&q.putter, 1, NMP_FULL) && is_idle(&q, 0), "no place: NMP_FULL");
  nmp_sem_wait(q.getter.rlock, -1);
  good = times_out(&q.getter, 0, NMP_EMPTY) && nmp_sem_release(q.getter.rlock, 1) == 0;
  check(good && is_idle(&q, 0), "another getter holds the lock: NMP_EMPTY");
  good = nmp_queue_get(&q.getter, &byte, 1, &len, 0) == 0 && byte == '1';
  good &= nmp_queue_get(&q.getter, &byte, 1, &len, 0) == 0 && byte == '2';
  check(good && is_idle(&q, 2), "nothing was lost");
  fill(q.putter.writer);
  check(times_out(&q.putter, 1, NMP_FULL) && is_idle(&q, 2), "a full pipe: NMP_FULL");
  close_queue(&q);
}

static void test_signals(void) {
  struct queue_pair q = make_queue(1, 0);
  begin_signals();
  const int64_t start = nmp_now_ns_();
  char byte;
  size_t len;
  int good = nmp_queue_get(&q.getter, &byte, 1, &len, 50) == NMP_EMPTY;
  good &= nmp_queue_put(&q.putter, "x", 1, 50) == 0;
  good &= nmp_queue_put(&q.putter, "y", 1, 50) == NMP_FULL;
  good &= nmp_now_ns_() - start >= 100 * MS;
  end_signals();
  check(good && signals > 0 && is_idle(&q, 0), "signals do not shorten timeouts");
  close_queue(&q);
}

static void test_too_big(void) {
  struct queue_pair q = make_queue(3, 0);
  char bytes[8], *got = NULL;
  size_t len = 0, cap = 0;
  int good = nmp_queue_put(&q.putter, "hello", 5, 0) == 0;
  good &= nmp_queue_put(&q.putter, "world!", 6, 0) == 0;
  good &= nmp_queue_put(&q.putter, "ok", 2, 0) == 0;
  for (int i = 0; i < 2; i++) {
    good &= nmp_queue_get(&q.getter, bytes, 4, &len, 0) == NMP_TOO_BIG && len == 5;
    good &= is_idle(&q, 1);
  }
  good &= nmp_queue_get_grow(&q.getter, 4, &got, &cap, &len, 0) == NMP_TOO_BIG && len == 5;
  good &= nmp_queue_get(&q.getter, bytes, 5, &len, 0) == 0 && memcmp(bytes, "hello", 5) == 0;
  good &= nmp_queue_get(&q.getter, NULL, 0, &len, 0) == NMP_TOO_BIG && len == 6;
  good &= nmp_queue_get_grow(&q.getter, 6, &got, &cap, &len, 0) == 0 && len == 6;
  good &= memcmp(got, "world!", 6) == 0;
  good &= nmp_queue_get_grow(&q.getter, 6, &got, &cap, &len, 0) == 0 && len == 2;
  check(good && memcmp(got, "ok", 2) == 0 && is_idle(&q, 3),
        "an item that does not fit is got next");
  free(got);
  good = nmp_queue_put(&q.putter, "kept", 4, 0) == 0;
  good &= nmp_queue_get(&q.getter, bytes, 3, &len, 0) == NMP_TOO_BIG;
  close_queue(&q);
  check(good, "closing frees a kept item");
}

static void test_dropped(void) {
  struct queue_pair q = make_queue(3, 0);
  char *got = NULL, *message = make_message(10000);
  size_t len = 0;
  int good = nmp_queue_put(&q.putter, message, 10000, 0) == 0;
  good &= nmp_queue_put(&q.putter, "next", 4, 0) == 0;
  good &= nmp_queue_get_alloc(&q.getter, 9999, &got, &len, 0) == NMP_DROPPED;
  good &= got == NULL && len == 10000 && is_idle(&q, 2);
  good &= nmp_queue_get_alloc(&q.getter, 9999, &got, &len, 0) == 0 && len == 4 && is_idle(&q, 3);
  check(good && memcmp(got, "next", 4) == 0,
        "above max_bytes: NMP_DROPPED, and the next item is there");
  free(got);
  good = nmp_queue_put(&q.putter, message, 10000, 0) == 0;
  good &= nmp_queue_put(&q.putter, message, 1000, 0) == 0;
  refusals = 1;
  good &= nmp_queue_get_alloc(&q.getter, SIZE_MAX, &got, &len, 0) == -ENOMEM && got == NULL;
  good &= nmp_queue_get(&q.getter, message, 1000, &len, 0) == 0;
  good &= matches(message, len, 1000) && is_idle(&q, 3);
  check(good, "no memory: ENOMEM, and the next item is there");
  free(message);
  close_queue(&q);
}

// Puts invalid or incomplete messages into the pipe and ends it.
static void expect(int expected, const char *bytes, size_t size, const char *what) {
  struct queue_pair q = make_queue(0, 0);
  char buffer[8];
  size_t len = 9;
  int good = nmp_queue_put(&q.putter, "one", 3, 0) == 0;
  raw_write(q.putter.writer, bytes, size);
  nmp_queue_close(&q.putter);
  good &= nmp_queue_get(&q.getter, buffer, 8, &len, -1) == 0 && len == 3;
  for (int i = 0; i < 3; i++) good &= nmp_queue_get(&q.getter, buffer, 8, &len, -1) == expected;
  check(good && nmp_sem_value(q.getter.rlock) == 1, "%s: %s in every call, and no lock is held",
        what, nmp_strerror(expected));
  nmp_queue_close(&q.getter);
}

static void test_broken(void) {
  expect(NMP_EOF, "", 0, "the last putter has closed");
  expect(NMP_TRUNCATED, "\0\0", 2, "the putter died inside a header");
  expect(NMP_TRUNCATED, "\0\0\0\4ab", 6, "the putter died inside an item");
  expect(NMP_TRUNCATED, "\177\377\377\377ab", 6, "the putter died inside an item that is too long");
  expect(NMP_BAD_LENGTH, "\377\377\377\376abcdefgh", 12, "a negative length");
}

static int is_pending(void) {
  sigset_t set;
  sigemptyset(&set);
  must(sigpending(&set), "sigpending");
  return sigismember(&set, SIGPIPE);
}

static void test_closed_reader(void) {
  struct queue_pair q = make_queue(2, 0);
  sigset_t sigpipe, now;
  nmp_queue_close(&q.getter);
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  // The default action would end this program.
  int good = nmp_queue_put(&q.putter, "x", 1, -1) == -EPIPE;
  count_signal(SIGPIPE);
  good &= nmp_queue_put(&q.putter, NULL, 0, 0) == -EPIPE && signals == 0 && !is_pending();
  must(pthread_sigmask(SIG_BLOCK, NULL, &now), "pthread_sigmask");
  good &= !sigismember(&now, SIGPIPE);
  good &= nmp_sem_value(q.putter.wlock) == 1 && nmp_sem_value(q.putter.places) == 2;
  check(good, "without a getter: EPIPE without a signal");
  must(pthread_sigmask(SIG_BLOCK, &sigpipe, NULL), "pthread_sigmask");
  good = nmp_queue_put(&q.putter, "x", 1, 0) == -EPIPE && !is_pending();
  raise(SIGPIPE);
  good &= nmp_queue_put(&q.putter, "x", 1, 0) == -EPIPE && is_pending() && signals == 0;
  must(pthread_sigmask(SIG_UNBLOCK, &sigpipe, NULL), "pthread_sigmask");
  check(good && signals == 1, "a signal that the program has blocked stays pending");
  nmp_ignore_sigpipe();
  check(nmp_queue_put(&q.putter, "x", 1, 0) == -EPIPE, "SIGPIPE may be ignored");
  nmp_queue_close(&q.putter);
}

int main(void) {
  const int before = open_descriptors();
  guard_run();
  test_open();
  test_one_item();
  test_timeouts();
  test_signals();
  test_too_big();
  test_dropped();
  test_broken();
  test_closed_reader();
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
