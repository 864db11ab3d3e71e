// SPDX-License-Identifier: MIT
//
// Queues: a pipe that several processes read and write, and the semaphores that
// let one of them at a time do so. Included by node_multiprocessing.h.
//
// Items are messages of bytes. Their content is a matter of the programs that use
// the queue: CPython puts pickles, Node what its serialization makes.
//
// No lock is held when a call returns, whatever it returns. A getter takes the
// readers' lock when there is something to read and keeps it only while it
// reads; a putter does likewise. A process that is killed while it holds a lock
// leaves it taken, and one that is killed inside a message leaves the rest of it
// unsent. In either case no process can use the queue any more.
//
// Threads: any number may put. One may get, unless each opens the queue
// separately. A thread must not be cancelled inside these functions.

#ifndef NODE_MULTIPROCESSING_QUEUE_H_
#define NODE_MULTIPROCESSING_QUEUE_H_

#include "base.h"
#include "message.h"
#include "semaphore.h"

// What a queue consists of. NULL stands for a part that the queue does not have.
struct nmp_queue_parts {
  int reader;          // The end of the pipe to get from, or -1.
  int writer;          // The end of the pipe to put to, or -1.
  const char *rlock;   // The getters' lock. Python: _rlock._semlock.name.
  const char *wlock;   // The putters' lock. Python: _wlock._semlock.name.
  const char *places;  // Free places. Python: _sem._semlock.name. A SimpleQueue has none.
  int maxsize;         // All places; 0 or less if there is no limit.
  // Only a JoinableQueue has these five.
  const char *unfinished;  // Items not reported as done. Python: _unfinished_tasks.
  const char *lock;        // The condition's lock. Python: _cond._lock.
  const char *sleeping;    // Python: _cond._sleeping_count.
  const char *woken;       // Python: _cond._woken_count.
  const char *wait;        // Python: _cond._wait_semaphore.
};

// An open queue. All members are internal.
struct nmp_queue {
  int reader;
  int writer;
  int maxsize;
  int broken;  // The code after which nothing more can be got, or 0.
  sem_t *rlock;
  sem_t *wlock;
  sem_t *places;
  sem_t *unfinished;
  sem_t *lock;
  sem_t *sleeping;
  sem_t *woken;
  sem_t *wait;
  int keeps;   // Whether kept has an item that did not fit the caller's buffer.
  char *kept;  // A buffer as that of nmp_recv_grow(), for such items.
  size_t kept_cap;
  size_t kept_len;
};

// Closes the descriptors and semaphores of a queue, and frees an item that was
// kept. Items in the pipe stay there.
// Threads: when no other thread uses it any more.
static inline void nmp_queue_close(struct nmp_queue *queue) {
  sem_t *const all[] = {queue->rlock, queue->wlock,    queue->places, queue->unfinished,
                        queue->lock,  queue->sleeping, queue->woken,  queue->wait};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    if (all[i] != NULL) sem_close(all[i]);
  }
  if (queue->reader >= 0) close(queue->reader);
  if (queue->writer >= 0) close(queue->writer);
  free(queue->kept);
  memset(queue, 0, sizeof *queue);
  queue->reader = queue->writer = -1;
}

// Opens a queue that another program has created. Both descriptors become
// close-on-exec, and the queue owns them; after a failure the caller does.
// Returns 0 or -errno: -ENOENT for a name that does not exist, -EINVAL if a
// descriptor lacks its lock or only some of the five are given. Threads: safe.
static inline int nmp_queue_open(struct nmp_queue *queue, const struct nmp_queue_parts *parts) {
  const char *const names[] = {parts->rlock, parts->wlock,    parts->places, parts->unfinished,
                               parts->lock,  parts->sleeping, parts->woken,  parts->wait};
  sem_t **const all[] = {&queue->rlock, &queue->wlock,    &queue->places, &queue->unfinished,
                         &queue->lock,  &queue->sleeping, &queue->woken,  &queue->wait};
  const size_t count = sizeof names / sizeof names[0];
  int code = 0;
  memset(queue, 0, sizeof *queue);
  queue->reader = queue->writer = -1;
  if (parts->reader < 0 && parts->writer < 0) code = -EINVAL;
  if (parts->reader >= 0 && parts->rlock == NULL) code = -EINVAL;
  if (parts->writer >= 0 && parts->wlock == NULL) code = -EINVAL;
  for (size_t i = 4; i < count; i++) {
    if ((names[i] == NULL) != (parts->unfinished == NULL)) code = -EINVAL;
  }
  for (size_t i = 0; i < count && code == 0; i++) {
    if (names[i] != NULL) code = nmp_sem_open(names[i], all[i]);
  }
  if (code == 0 && parts->reader >= 0) code = nmp_set_cloexec(parts->reader);
  if (code == 0 && parts->writer >= 0) code = nmp_set_cloexec(parts->writer);
  if (code != 0) {
    nmp_queue_close(queue);
    return code;
  }
  queue->reader = parts->reader;
  queue->writer = parts->writer;
  queue->maxsize = parts->maxsize > 0 ? parts->maxsize : INT_MAX;
  return 0;
}

// Waits until one end of the pipe is ready and takes its lock. While it waits for
// the pipe it holds no lock, so a process that is killed there blocks no other.
// Returns 0 with the lock held, late after the deadline, or -errno.
static inline int nmp_queue_begin_(int fd, short events, sem_t *lock, int64_t deadline, int late) {
  for (;;) {
    int code = nmp_wait_(fd, events, deadline);
    if (code <= 0) return code == 0 ? late : code;
    code = nmp_sem_wait_(lock, deadline);
    if (code != 0) return code == NMP_TIMEOUT ? late : code;
    code = nmp_wait_(fd, events, 0);
    if (code > 0) return 0;
    // Another process has used the pipe since.
    nmp_sem_release(lock, 1);
    if (code < 0) return code;
  }
}

// Reads len bytes and discards them.
static inline int nmp_queue_skip_(int fd, size_t len) {
  char bytes[4096];
  int code = 0;
  while (len > 0 && code == 0) {
    const size_t part = len < sizeof bytes ? len : sizeof bytes;
    code = nmp_recv_body(fd, bytes, part);
    len -= part;
  }
  return code;
}

// Where an item is stored.
struct nmp_target_ {
  void *fixed;  // If it fits: memory of room bytes. NULL for none.
  size_t room;
  char **buf;  // Otherwise, up to max_bytes: a buffer as that of nmp_recv_grow().
  size_t *cap;
  size_t max_bytes;
};

// Reads one message to its end. Even when it is too long, or memory runs out, its
// bytes are read, so that the next one can be.
static inline int nmp_queue_read_(int fd, const struct nmp_target_ *target, size_t *len) {
  size_t got = 0;
  int code = nmp_recv_size(fd, len);
  if (code != 0) return code;
  if (target->fixed != NULL && *len <= target->room) return nmp_recv_body(fd, target->fixed, *len);
  code = NMP_DROPPED;
  if (*len <= target->max_bytes) {
    code = nmp_recv_body_grow_(fd, *len, target->buf, target->cap, &got);
  }
  if (code != NMP_DROPPED && code != -ENOMEM) return code;
  const int skipped = nmp_queue_skip_(fd, *len - got);
  return skipped != 0 ? skipped : code;
}

static inline int nmp_queue_get_(struct nmp_queue *queue, const struct nmp_target_ *target,
                                 size_t *len, int timeout_ms) {
  *len = 0;
  if (queue->reader < 0) return -EBADF;
  if (queue->broken != 0) return queue->broken;
  const int64_t deadline = nmp_deadline_(timeout_ms);
  int code = nmp_queue_begin_(queue->reader, POLLIN, queue->rlock, deadline, NMP_EMPTY);
  if (code != 0) return code;
  code = nmp_queue_read_(queue->reader, target, len);
  nmp_sem_release(queue->rlock, 1);
  if (code == 0 || code == NMP_DROPPED || code == -ENOMEM) {
    // Too many free places are no reason to withhold this item.
    if (queue->places != NULL) nmp_sem_release(queue->places, queue->maxsize);
  } else if (code != NMP_EOF) {
    queue->broken = code;
  }
  return code;
}

// Gets one item into a buffer of cap bytes and stores its length in *len. A
// longer item is not lost: the call returns NMP_TOO_BIG with the needed size in
// *len, and the item is the next one that this struct gets.
//
// The timeout is for the beginning of an item. An item that has begun is received
// to its end, however long its sender takes.
//
// Returns 0, NMP_EMPTY after the timeout, NMP_EOF if no process is left that can
// put anything, NMP_TOO_BIG, or for an item that is lost NMP_DROPPED (it is longer
// than NMP_DEFAULT_MAX_BYTES) or -ENOMEM. After these the queue can be used on.
// After any other code nothing can be got any more, and every call returns that
// code: NMP_TRUNCATED, NMP_BAD_LENGTH, -errno (-EBADF for a queue without a
// reader). Threads: one getter.
static inline int nmp_queue_get(struct nmp_queue *queue, void *buf, size_t cap, size_t *len,
                                int timeout_ms) {
  char none;
  const struct nmp_target_ target = {buf != NULL ? buf : &none, cap, &queue->kept, &queue->kept_cap,
                                     NMP_DEFAULT_MAX_BYTES};
  if (!queue->keeps) {
    const int code = nmp_queue_get_(queue, &target, len, timeout_ms);
    if (code != 0 || *len <= cap) return code;
    queue->keeps = 1;
    queue->kept_len = *len;
    return NMP_TOO_BIG;
  }
  *len = queue->kept_len;
  if (*len > cap) return NMP_TOO_BIG;
  memcpy(target.fixed, queue->kept, *len);
  queue->keeps = 0;
  return 0;
}

// As nmp_queue_get(), into a buffer that is kept for the next call and grows:
// *buf and *cap are those of nmp_recv_grow(). An item longer than max_bytes is
// lost: NMP_DROPPED, with its length in *len. Only an item that nmp_queue_get()
// found too long can be NMP_TOO_BIG here, and stays. Threads: one getter.
static inline int nmp_queue_get_grow(struct nmp_queue *queue, size_t max_bytes, char **buf,
                                     size_t *cap, size_t *len, int timeout_ms) {
  const struct nmp_target_ target = {NULL, 0, buf, cap, max_bytes};
  if (!queue->keeps) return nmp_queue_get_(queue, &target, len, timeout_ms);
  *len = queue->kept_len;
  if (*len > max_bytes) return NMP_TOO_BIG;
  // The caller gets the item together with its memory.
  char *const other_buf = *buf;
  const size_t other_cap = *cap;
  *buf = queue->kept;
  *cap = queue->kept_cap;
  queue->kept = other_buf;
  queue->kept_cap = other_cap;
  queue->keeps = 0;
  return 0;
}

// As nmp_queue_get_grow(), into a new buffer, which the caller frees with free(3).
// An empty item gets a buffer too; a failure leaves NULL. Threads: one getter.
static inline int nmp_queue_get_alloc(struct nmp_queue *queue, size_t max_bytes, char **buf,
                                      size_t *len, int timeout_ms) {
  size_t cap = 0;
  *buf = NULL;
  const int code = nmp_queue_get_grow(queue, max_bytes, buf, &cap, len, timeout_ms);
  if (code != 0) {
    free(*buf);
    *buf = NULL;
  }
  return code;
}

// Sends as nmp_send_plain(), without a SIGPIPE when no process reads: the signal
// would end the program while it holds the lock. The kernel sends it to the
// writing thread, so the thread can block it and remove it.
static inline int nmp_queue_send_(int fd, const void *buf, size_t len) {
  sigset_t sigpipe, before, pending;
  sigemptyset(&sigpipe);
  sigemptyset(&pending);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
  // A signal that the program itself has blocked must stay pending.
  if (sigismember(&before, SIGPIPE)) sigpending(&pending);
  const int was_pending = sigismember(&pending, SIGPIPE);
  const int code = nmp_send_plain(fd, buf, len);
  if (code == -EPIPE && !was_pending) {
    int number;
    // It is not pending if the program ignores it.
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE)) sigwait(&sigpipe, &number);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

// Puts one item of len bytes; len may be 0 and buf then NULL. It has no thread,
// unlike CPython, so it returns when the item is in the pipe.
//
// The timeout is for a free place, and for room in the pipe for the beginning of
// the item. An item that has begun is sent to its end, however long the getters
// take.
//
// Returns 0, NMP_FULL after the timeout, NMP_BAD_LENGTH or -errno: -EPIPE,
// without a signal, if no process is left that can get anything, -EBADF for a
// queue without a writer. After NMP_FULL the queue can be used on. Threads: safe.
static inline int nmp_queue_put(struct nmp_queue *queue, const void *buf, size_t len,
                                int timeout_ms) {
  const int64_t deadline = nmp_deadline_(timeout_ms);
  int code = 0;
  if (queue->writer < 0) return -EBADF;
  if (queue->places != NULL) code = nmp_sem_wait_(queue->places, deadline);
  if (code != 0) return code == NMP_TIMEOUT ? NMP_FULL : code;
  code = nmp_queue_begin_(queue->writer, POLLOUT, queue->wlock, deadline, NMP_FULL);
  if (code == 0) {
    // Counted before a process can get the item and report it as done.
    if (queue->unfinished != NULL) code = nmp_sem_post(queue->unfinished);
    if (code == 0) {
      code = nmp_queue_send_(queue->writer, buf, len);
      if (code != 0 && queue->unfinished != NULL) nmp_sem_trywait(queue->unfinished);
    }
    nmp_sem_release(queue->wlock, 1);
  }
  if (code != 0 && queue->places != NULL) nmp_sem_release(queue->places, queue->maxsize);
  return code;
}

#endif  // NODE_MULTIPROCESSING_QUEUE_H_
