// SPDX-License-Identifier: MIT
//
// What a JoinableQueue has beside a queue: items are reported as done, and who
// waits for all of them is woken. Included by node_multiprocessing.h.

#ifndef NODE_MULTIPROCESSING_TASKS_H_
#define NODE_MULTIPROCESSING_TASKS_H_

#include "base.h"
#include "queue.h"
#include "semaphore.h"

// How long those who were woken are waited for. CPython waits for ever, also for
// one that was killed.
#define NMP_WAKING_MS_ 1000

// Wakes all who wait for the queue's condition, whose lock is held, by CPython's
// algorithm: `sleeping` counts who waits, `wait` is what they sleep on, and each
// adds one to `woken` when it has woken.
static inline int nmp_tasks_notify_all_(struct nmp_queue *queue) {
  int code = 0, asleep = 0;
  // Those whose time was up have woken without being told to.
  while (nmp_sem_trywait(queue->woken) == 0) nmp_sem_trywait(queue->sleeping);
  while (code == 0 && nmp_sem_trywait(queue->sleeping) == 0) {
    code = nmp_sem_post(queue->wait);
    asleep++;
  }
  const int64_t deadline = nmp_deadline_(NMP_WAKING_MS_);
  while (asleep > 0 && nmp_sem_wait_(queue->woken, deadline) == 0) asleep--;
  // What nobody took is taken back, so that no later sleeper takes it for its own.
  while (nmp_sem_trywait(queue->wait) == 0) continue;
  // Those who gave no sign may be stopped, and are not to be forgotten.
  for (; asleep > 0; asleep--) nmp_sem_post(queue->sleeping);
  return code;
}

// Reports that an item which was got from a JoinableQueue has been dealt with;
// after the last one everybody's join() returns. The timeout is for the lock of
// the condition, which others hold for moments only.
// Returns 0, NMP_TIMEOUT, NMP_TASK_DONE if there are no items that were not
// reported, -EINVAL for another kind of queue, or -errno. Threads: safe.
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
