// SPDX-License-Identifier: MIT
//
// Pipes, locks and queues of CPython's multiprocessing and of
// node-multiprocessing, for C99 and C++11 on POSIX.1-2008 systems. Header only:
// include this one. README.md beside it is the manual.
//
// Returns: 0 for success, an NMP_ code or a negative errno (-EPIPE, ...), unless
// a function says otherwise. nmp_strerror() describes each.
//
// Threads: there is no hidden state, and one thread may send while another
// receives. What else each function allows stands above it.
//
// Blocking: calls wait for their timeout, and signals do not shorten it. A
// timeout_ms is in milliseconds of the monotonic clock: 0 tries once, a negative
// number waits for ever. For a non-blocking descriptor the calls wait with
// poll(2). Its flags are never changed, because every process that holds the
// descriptor shares them.

#ifndef NODE_MULTIPROCESSING_H_
#define NODE_MULTIPROCESSING_H_

#include "nmp/base.h"
#include "nmp/handle.h"
#include "nmp/message.h"
#include "nmp/queue.h"
#include "nmp/semaphore.h"
#include "nmp/tasks.h"

#endif  // NODE_MULTIPROCESSING_H_
