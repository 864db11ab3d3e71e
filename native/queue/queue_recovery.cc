// SPDX-License-Identifier: MIT
#include "queue/queue_recovery.h"

#include <cerrno>

#include "os/sys.h"
#include "util/status.h"

namespace mp {

int MendQueue(TrackedSemaphore& dead, TrackedSemaphore& other, int reader_fd) noexcept {
  if (!dead.HasTornHolder()) return 0;
  if (sys::BytesReadable(reader_fd) != 0) return kQueueBroken;
  if (other.TryAcquire() < 0) {
    if (other.HasTornHolder()) return kQueueBroken;
    // One who died at a boundary is no obstacle; one who lives will be done soon.
    (void)other.CheckHolder();
    return -EAGAIN;
  }
  const bool at_boundary = sys::BytesReadable(reader_fd) == 0;
  if (at_boundary) (void)dead.MendTorn();
  other.Release(TrackedSemaphore::kNoLimit);
  return at_boundary ? 0 : kQueueBroken;
}

int CheckWriter(TrackedSemaphore& wlock, int reader_fd) noexcept {
  return wlock.HasTornHolder() && sys::BytesReadable(reader_fd) == 0 ? kQueueBroken : 0;
}

}  // namespace mp
