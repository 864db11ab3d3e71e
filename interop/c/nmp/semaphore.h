// SPDX-License-Identifier: MIT
//
// Named semaphores, which are the locks of multiprocessing. Included by
// node_multiprocessing.h.
//
// A Lock is a semaphore that is 1 while it is free: nmp_sem_wait() acquires it
// and nmp_sem_release(sem, 1) releases it. An RLock is the same semaphore; the
// program itself counts how often it has entered. A Semaphore is released up to
// SEM_VALUE_MAX, a BoundedSemaphore up to its initial value.
//
// These functions keep no records of holders. If this program dies while it
// holds a lock, the lock stays taken, and no other process learns of it.

#ifndef NODE_MULTIPROCESSING_SEMAPHORE_H_
#define NODE_MULTIPROCESSING_SEMAPHORE_H_

#include "base.h"

// How to wait with a time limit. glibc has sem_clockwait() since 2.30, but its
// header hides it from programs without _GNU_SOURCE. sem_timedwait() uses the
// time of day: a wait gets longer when that is set back. macOS has neither. A
// program may define NMP_NO_SEM_CLOCKWAIT, for example to run with an older glibc
// than it is compiled with, or NMP_NO_SEM_TIMEDWAIT.
#if defined(__APPLE__) && !defined(NMP_NO_SEM_TIMEDWAIT)
#define NMP_NO_SEM_TIMEDWAIT
#endif
#if defined(__GLIBC__) && !defined(NMP_NO_SEM_CLOCKWAIT) && !defined(NMP_NO_SEM_TIMEDWAIT)
#if (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 30) && \
    (defined(__USE_GNU) || (!defined(__USE_TIME_BITS64) && !defined(__cplusplus)))
#define NMP_SEM_CLOCKWAIT_
#ifndef __USE_GNU
extern int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until);
#endif
#endif
#endif

// Opens a semaphore that another program has created and stores it in *sem; NULL
// after a failure. A name looks like "/mp-k3j9x0abc-1". It is `name` of a lock in
// Node and `_semlock.name` in Python.
// Returns 0 or -errno: -ENOENT if no semaphore has this name (any more).
// Threads: safe.
static inline int nmp_sem_open(const char *name, sem_t **sem) {
  do {
    *sem = sem_open(name, 0);
    if (*sem != SEM_FAILED) return 0;
  } while (errno == EINTR);
  *sem = NULL;
  return -errno;
}

// Closes a semaphore. Its name and its value stay; a lock that is held stays held.
// Returns 0 or -errno. Threads: when no other thread uses it any more.
static inline int nmp_sem_close(sem_t *sem) { return sem_close(sem) == 0 ? 0 : -errno; }

// Decrements a semaphore, or acquires a lock, if that is possible at once.
// Returns 0, NMP_TIMEOUT or -errno. Threads: safe.
static inline int nmp_sem_trywait(sem_t *sem) {
  while (sem_trywait(sem) != 0) {
    if (errno == EAGAIN) return NMP_TIMEOUT;
    if (errno != EINTR) return -errno;
  }
  return 0;
}

// Sleeps until it has decremented a semaphore, a deadline has passed or a signal
// has arrived. Returns 0 or -1 with errno, as sem_timedwait(3).
static inline int nmp_sem_sleep_(sem_t *sem, int64_t deadline) {
  if (deadline == INT64_MAX) return sem_wait(sem);
  struct timespec time;
#if defined(NMP_SEM_CLOCKWAIT_)
  time.tv_sec = (time_t)(deadline / 1000000000);
  time.tv_nsec = (long)(deadline % 1000000000);
  return sem_clockwait(sem, CLOCK_MONOTONIC, &time);
#elif !defined(NMP_NO_SEM_TIMEDWAIT)
  clock_gettime(CLOCK_REALTIME, &time);
  const int64_t nanos = time.tv_nsec + nmp_left_ns_(deadline);
  time.tv_sec += (time_t)(nanos / 1000000000);
  time.tv_nsec = (long)(nanos % 1000000000);
  return sem_timedwait(sem, &time);
#else
  // As in CPython: pauses grow from 1 ms to 16 ms.
  for (int64_t pause = 1000000;; pause = pause < 16000000 ? pause * 2 : pause) {
    if (sem_trywait(sem) == 0) return 0;
    if (errno != EAGAIN) return -1;
    const int64_t left = nmp_left_ns_(deadline);
    if (left == 0) {
      errno = ETIMEDOUT;
      return -1;
    }
    time.tv_sec = 0;
    time.tv_nsec = (long)(left < pause ? left : pause);
    nanosleep(&time, NULL);
  }
#endif
}

static inline int nmp_sem_wait_(sem_t *sem, int64_t deadline) {
  const int code = nmp_sem_trywait(sem);
  if (code != NMP_TIMEOUT || deadline == 0) return code;
  while (nmp_sem_sleep_(sem, deadline) != 0) {
    if (errno != ETIMEDOUT && errno != EINTR) return -errno;
    // The time of day may have been set forward.
    if (nmp_left_ns_(deadline) == 0) return NMP_TIMEOUT;
  }
  return 0;
}

// Decrements a semaphore, or acquires a lock, within timeout_ms.
// Returns 0, NMP_TIMEOUT or -errno. Threads: safe.
static inline int nmp_sem_wait(sem_t *sem, int timeout_ms) {
  return nmp_sem_wait_(sem, nmp_deadline_(timeout_ms));
}

// Increments a semaphore, whatever its value is.
// Returns 0 or -errno: -EOVERFLOW at SEM_VALUE_MAX. Threads: safe.
static inline int nmp_sem_post(sem_t *sem) { return sem_post(sem) == 0 ? 0 : -errno; }

// The value of a semaphore at this moment, never below 0, or -errno: -ENOSYS on
// macOS. Threads: safe.
static inline int nmp_sem_value(sem_t *sem) {
  int value;
  if (sem_getvalue(sem, &value) != 0) return -errno;
  return value > 0 ? value : 0;
}

// Whether a semaphore is at 0, also where its value cannot be read.
static inline int nmp_sem_is_zero_(sem_t *sem) {
  const int value = nmp_sem_value(sem);
  if (value >= 0) return value == 0;
  if (nmp_sem_trywait(sem) != 0) return 1;
  sem_post(sem);
  return 0;
}

// Releases a lock, or increments a semaphore, unless it already has the value
// max, which is 1 for a Lock or RLock. Reading and incrementing the value are two
// steps, as in CPython, so two calls that release too often at the same time may
// both succeed.
// Returns 0, NMP_RELEASED_TOO_OFTEN or -errno. Threads: safe.
static inline int nmp_sem_release(sem_t *sem, int max) {
  const int value = nmp_sem_value(sem);
  const int full = value >= 0 ? value >= max : max == 1 && !nmp_sem_is_zero_(sem);
  return full ? NMP_RELEASED_TOO_OFTEN : nmp_sem_post(sem);
}

#endif  // NODE_MULTIPROCESSING_SEMAPHORE_H_
