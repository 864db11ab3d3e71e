// SPDX-License-Identifier: MIT
//
// Recovery of a queue one of whose locks has a dead holder that may have moved a part of a message.
#pragma once

#include "semaphores/tracked_semaphore.h"

namespace mp {

// How often RecoverLock() may answer -EAGAIN in succession before the queue is given up.
inline constexpr int kMaxUndecided = 4;

// The pipe is at the boundary of two messages if no member moves bytes and the pipe is empty. Then
// all that was written has been read, and the reader of a message whose rest is missing would still
// hold its lock. In that case the lock of the dead holder is released on its behalf.
//
// `dead` is the lock whose holder has died, `other` the queue's other lock, which the caller does
// not hold. 0 when there is nothing (more) to recover, kQueueBroken when nothing proves that the
// pipe is at a boundary, -EAGAIN when another member is moving data, so that it is undecided yet.
int RecoverLock(TrackedSemaphore& dead, TrackedSemaphore& other, int reader_fd) noexcept;

// For a reader inside a message, which waits for the rest: kQueueBroken if the writer has died, 0
// if it has not.
int CheckWriter(TrackedSemaphore& wlock, int reader_fd) noexcept;

}  // namespace mp
