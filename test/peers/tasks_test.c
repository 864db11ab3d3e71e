// SPDX-License-Identifier: MIT
//
// Checks what interop/c does for a JoinableQueue. Valid as C and as C++. Prints
// TAP. Exit code 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include "queues.h"

#define MS ((int64_t)1000000)

// A condition without waiters: as many have woken as have slept.
static int is_at_rest(const struct nmp_queue *queue) {
  return nmp_sem_value(queue->lock) == 1 && nmp_sem_value(queue->wait) == 0 &&
         nmp_sem_value(queue->sleeping) == nmp_sem_value(queue->woken);
}

static void test_counts(void) {
  struct queue_pair q = make_queue(2, 1), plain = make_queue(2, 0);
  char byte;
  size_t len;
  int good = nmp_queue_put(&q.putter, "a", 1, 0) == 0 && nmp_queue_put(&q.putter, "b", 1, 0) == 0;
  good &= nmp_queue_put(&q.putter, "c", 1, 0) == NMP_FULL;
  good &= nmp_sem_value(q.getter.unfinished) == 2;
  good &= nmp_queue_get(&q.getter, &byte, 1, &len, 0) == 0 && byte == 'a';
  good &= nmp_sem_value(q.getter.unfinished) == 2 && is_idle(&q, 1);
  check(good, "an item that was put is unfinished, one that was not put is not counted");
  good = nmp_queue_task_done(&q.getter, -1) == 0 && nmp_sem_value(q.getter.unfinished) == 1;
  good &= nmp_queue_task_done(&q.putter, 0) == 0 && nmp_sem_value(q.getter.unfinished) == 0;
  check(good && is_at_rest(&q.getter), "nmp_queue_task_done counts down");
  good = nmp_queue_task_done(&q.getter, -1) == NMP_TASK_DONE && is_at_rest(&q.getter);
  check(good && nmp_sem_value(q.getter.unfinished) == 0, "one call too many: NMP_TASK_DONE");
  nmp_sem_wait(q.getter.lock, -1);
  const int64_t start = nmp_now_ns_();
  good = nmp_queue_task_done(&q.getter, 20) == NMP_TIMEOUT && nmp_now_ns_() - start >= 20 * MS;
  good &= nmp_queue_task_done(&q.getter, 0) == NMP_TIMEOUT;
  check(good && nmp_sem_release(q.getter.lock, 1) == 0, "the timeout is for the lock");
  check(nmp_queue_task_done(&plain.getter, -1) == -EINVAL, "a queue without tasks: EINVAL");
  nmp_queue_close(&q.getter);
  good = nmp_queue_put(&q.putter, "d", 1, 0) == -EPIPE;
  check(good && nmp_sem_value(q.putter.unfinished) == 0, "an item that cannot be put is no task");
  close_queue(&q);
  close_queue(&plain);
}

// CPython's Condition.wait(), with the lock held.
static int wait_for_notify(struct nmp_queue *queue, int timeout_ms) {
  int bad = nmp_sem_post(queue->sleeping) != 0 || nmp_sem_release(queue->lock, 1) != 0;
  const int code = nmp_sem_wait(queue->wait, timeout_ms);
  bad |= nmp_sem_post(queue->woken) != 0 || nmp_sem_wait(queue->lock, -1) != 0;
  return bad ? -1 : code;
}

// CPython's JoinableQueue.join(). Reports before it sleeps: other processes, which
// need the lock to change anything, get it only when the caller sleeps.
static int join(struct nmp_queue *queue, int said) {
  int bad = nmp_sem_wait(queue->lock, -1) != 0;
  raw_write(said, "", 1);
  if (nmp_sem_value(queue->unfinished) != 0) bad |= wait_for_notify(queue, -1) != 0;
  bad |= nmp_sem_value(queue->unfinished) != 0 || nmp_sem_release(queue->lock, 1) != 0;
  return bad;
}

static pid_t start_join(struct queue_pair *q) {
  int said[2];
  char byte;
  open_channel(0, said);
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) _exit(join(&q->getter, said[1]));
  must(read(said[0], &byte, 1) == 1 ? 0 : -1, "read");
  close_both(said);
  return pid;
}

static void test_join(void) {
  enum { JOINERS = 3 };
  struct queue_pair q = make_queue(0, 1);
  pid_t pids[JOINERS];
  int good = nmp_queue_put(&q.putter, "a", 1, 0) == 0 && nmp_queue_put(&q.putter, "b", 1, 0) == 0;
  for (int i = 0; i < JOINERS; i++) pids[i] = start_join(&q);
  good &= nmp_queue_task_done(&q.getter, -1) == 0;
  for (int i = 0; i < JOINERS; i++) good &= waitpid(pids[i], NULL, WNOHANG) == 0;
  good &= nmp_queue_task_done(&q.getter, -1) == 0;
  for (int i = 0; i < JOINERS; i++) good &= exited_well(pids[i]);
  check(good && is_at_rest(&q.getter), "the last task wakes all %d callers of join", JOINERS);
  nmp_sem_wait(q.getter.lock, -1);
  good = wait_for_notify(&q.getter, 5) == NMP_TIMEOUT && nmp_sem_release(q.getter.lock, 1) == 0;
  good &= nmp_sem_value(q.getter.sleeping) == 1 && nmp_sem_value(q.getter.woken) == 1;
  good &= nmp_queue_put(&q.putter, "c", 1, 0) == 0 && nmp_queue_task_done(&q.getter, -1) == 0;
  good &= nmp_sem_value(q.getter.sleeping) == 0 && nmp_sem_value(q.getter.woken) == 0;
  check(good && is_at_rest(&q.getter), "a caller whose time was up is not waited for");
  close_queue(&q);
}

static void test_killed_join(void) {
  struct queue_pair q = make_queue(0, 1);
  int good = nmp_queue_put(&q.putter, "a", 1, 0) == 0;
  const pid_t pid = start_join(&q);
  // The child holds the lock until it counts as asleep.
  good &= nmp_sem_wait(q.getter.lock, -1) == 0 && nmp_sem_release(q.getter.lock, 1) == 0;
  must(kill(pid, SIGKILL), "kill");
  must(waitpid(pid, NULL, 0), "waitpid");
  good &= nmp_queue_task_done(&q.getter, -1) == 0;
  good &= nmp_sem_value(q.getter.unfinished) == 0 && nmp_sem_value(q.getter.lock) == 1;
  good &= nmp_sem_value(q.getter.wait) == 0 && nmp_sem_value(q.getter.sleeping) == 1;
  check(good, "a killed caller delays the others for a limited time");
  good = nmp_queue_put(&q.putter, "b", 1, 0) == 0;
  const pid_t other = start_join(&q);
  good &= nmp_queue_task_done(&q.getter, -1) == 0;
  check(exited_well(other) && good, "callers that join later are woken");
  close_queue(&q);
}

int main(void) {
  const int before = open_descriptors();
  guard_run();
  test_counts();
  test_join();
  test_killed_join();
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
