// SPDX-License-Identifier: MIT
//
// Pipes, locks and queues of CPython's multiprocessing and of
// node-multiprocessing, for C99 and C++11 on POSIX.1-2008 systems. Header only:
// include this one. README.md beside it is the manual.
//
// Returns: 0 for success, an NMP_ code or a negative errno (-EPIPE, ...), unless
// a function says otherwise. nmp_strerror() has words for each.
//
// Threads: there is no hidden state, and one thread may send while another
// receives. What else each function allows stands above it.
//
// Blocking: calls wait as long as they were told to, and signals do not cut them
// short. A timeout_ms is in milliseconds of a clock that nobody sets: 0 tries
// once, a negative number waits for ever. A non-blocking descriptor is waited
// for with poll(2); its flags are never changed, because every process that
// holds it shares them.

#ifndef NODE_MULTIPROCESSING_H_
#define NODE_MULTIPROCESSING_H_

#include "nmp/base.h"
#include "nmp/handle.h"
#include "nmp/message.h"
#include "nmp/queue.h"
#include "nmp/semaphore.h"
#include "nmp/tasks.h"

#endif  // NODE_MULTIPROCESSING_H_
