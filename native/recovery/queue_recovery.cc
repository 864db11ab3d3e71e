// SPDX-License-Identifier: MIT
#include "recovery/queue_recovery.h"

#include <cerrno>

#include "os/sys.h"
#include "util/status.h"

namespace mp {

int RecoverLock(TrackedSemaphore& dead, TrackedSemaphore& other, int reader_fd) noexcept {
  if (!dead.HasDeadMover()) return 0;
  if (sys::BytesReadable(reader_fd) != 0) return kQueueBroken;
  if (other.TryAcquire() < 0) {
    if (other.HasDeadMover()) return kQueueBroken;
    // A holder that died at a boundary is no obstacle. A living one will be done soon.
    (void)other.CheckHolder();
    return -EAGAIN;
  }
  const bool at_boundary = sys::BytesReadable(reader_fd) == 0;
  if (at_boundary) (void)dead.ReleaseForDeadMover();
  other.Release(TrackedSemaphore::kNoLimit);
  return at_boundary ? 0 : kQueueBroken;
}

int CheckWriter(TrackedSemaphore& wlock, int reader_fd) noexcept {
  return wlock.HasDeadMover() && sys::BytesReadable(reader_fd) == 0 ? kQueueBroken : 0;
}

}  // namespace mp
