// SPDX-License-Identifier: MIT
//
// What is to be done when the holder of one of a queue's locks has died while it may have moved a
// part of a message.
#pragma once

#include "semaphores/tracked_semaphore.h"

namespace mp {

// The pipe is at the boundary of two messages if nobody moves bytes and none are in it: then all
// that was written has been read, and a message of which a part was missing would keep its reader
// from giving its lock back. In that case the dead one's lock is released in its place.
//
// `dead` is the lock whose holder has died, `other` the queue's other one, which the caller does
// not hold. 0 when there is nothing to mend (any more), kQueueBroken when nothing proves that the
// pipe is at a boundary, -EAGAIN when somebody is at work, so that it cannot be told yet.
int MendQueue(TrackedSemaphore& dead, TrackedSemaphore& other, int reader_fd) noexcept;

// For one who has read a part of a message, and waits for the rest: kQueueBroken if its writer has
// died, 0 if not.
int CheckWriter(TrackedSemaphore& wlock, int reader_fd) noexcept;

}  // namespace mp
