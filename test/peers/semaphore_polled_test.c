// SPDX-License-Identifier: MIT
//
// semaphore_test.c where sem_timedwait() is missing too, as on macOS.
#define NMP_NO_SEM_TIMEDWAIT
#define EXPECTED_WAY "pauses"
#include "semaphore_test.c"
