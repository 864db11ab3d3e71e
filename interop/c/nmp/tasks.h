// SPDX-License-Identifier: MIT
//
// What a JoinableQueue adds to a queue: items are reported as done, and the last
// one wakes all callers of join(). Included by node_multiprocessing.h.

#ifndef NODE_MULTIPROCESSING_TASKS_H_
#define NODE_MULTIPROCESSING_TASKS_H_

#include "base.h"
#include "queue.h"
#include "semaphore.h"

// How long to wait for the woken processes. CPython waits for ever, also for one
// that was killed.
#define NMP_WAKING_MS_ 1000

// Wakes all waiters of the queue's condition, whose lock is held, by CPython's
// algorithm: `sleeping` counts the waiters, `wait` is what they sleep on, and each
// increments `woken` when it has woken.
static inline int nmp_tasks_notify_all_(struct nmp_queue *queue) {
  int code = 0, asleep = 0;
  // Waiters whose timeout has passed have woken without a notification.
  while (nmp_sem_trywait(queue->woken) == 0) nmp_sem_trywait(queue->sleeping);
  while (code == 0 && nmp_sem_trywait(queue->sleeping) == 0) {
    code = nmp_sem_post(queue->wait);
    asleep++;
  }
  const int64_t deadline = nmp_deadline_(NMP_WAKING_MS_);
  while (asleep > 0 && nmp_sem_wait_(queue->woken, deadline) == 0) asleep--;
  // Values that no waiter took are removed, so that no later waiter takes them.
  while (nmp_sem_trywait(queue->wait) == 0) continue;
  // Waiters that did not answer may be stopped, so they still count.
  for (; asleep > 0; asleep--) nmp_sem_post(queue->sleeping);
  return code;
}

// Reports that an item from a JoinableQueue has been processed. After the last
// one join() returns in all processes. The timeout is for the lock of the
// condition, which other processes hold for moments only.
// Returns 0, NMP_TIMEOUT, NMP_TASK_DONE if every item was reported before,
// -EINVAL for another kind of queue, or -errno. Threads: safe.
static inline int nmp_queue_task_done(struct nmp_queue *queue, int timeout_ms) {
  if (queue->unfinished == NULL) return -EINVAL;
  int code = nmp_sem_wait(queue->lock, timeout_ms);
  if (code != 0) return code;
  code = nmp_sem_trywait(queue->unfinished);
  if (code == NMP_TIMEOUT) code = NMP_TASK_DONE;
  if (code == 0 && nmp_sem_is_zero_(queue->unfinished)) code = nmp_tasks_notify_all_(queue);
  nmp_sem_release(queue->lock, 1);
  return code;
}

#endif  // NODE_MULTIPROCESSING_TASKS_H_
