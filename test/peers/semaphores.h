// SPDX-License-Identifier: MIT
//
// Semaphores for the tests of interop/c, whose names are removed with the test.

#ifndef NODE_MULTIPROCESSING_TEST_SEMAPHORES_H_
#define NODE_MULTIPROCESSING_TEST_SEMAPHORES_H_

#include "node_multiprocessing.h"
#include "tap.h"

// A name that no other test uses.
struct name {
  char text[32];
};

static inline struct name new_name(void) {
  static int count;
  struct name name;
  snprintf(name.text, sizeof name.text, "/mp-c-%ld-%d", (long)getpid(), ++count);
  return name;
}

// Creates a semaphore as CPython does. The caller removes its name.
static inline struct name make_name(unsigned value) {
  const struct name name = new_name();
  sem_t *sem = sem_open(name.text, O_CREAT | O_EXCL, 0600, value);
  must(sem == SEM_FAILED ? -1 : 0, "sem_open");
  must(sem_close(sem), "sem_close");
  return name;
}

// A semaphore that is open here and in children, and has no name any more.
static inline sem_t *make_semaphore(unsigned value) {
  const struct name name = make_name(value);
  sem_t *sem;
  if (nmp_sem_open(name.text, &sem) != 0) must(-1, "nmp_sem_open");
  must(sem_unlink(name.text), "sem_unlink");
  return sem;
}

#endif  // NODE_MULTIPROCESSING_TEST_SEMAPHORES_H_
