// SPDX-License-Identifier: MIT
//
// semaphore_test.c without sem_clockwait(), as in musl and old glibc.
#define NMP_NO_SEM_CLOCKWAIT
#define EXPECTED_WAY "sem_timedwait"
#include "semaphore_test.c"
