// SPDX-License-Identifier: MIT
//
// semaphore_test.c without sem_timedwait() too, as on macOS.
#define NMP_NO_SEM_TIMEDWAIT
#define EXPECTED_WAY "pauses"
#include "semaphore_test.c"
