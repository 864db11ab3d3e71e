// SPDX-License-Identifier: MIT
#include "queue/queue_writer.h"

#include <cerrno>

#include "util/status.h"

namespace mp {

int64_t QueueWriter::Put(const QueueItem& item, bool has_place) {
  if (!state_) return -EBADF;
  const uint32_t flags = state_->Flags();
  int64_t result = 0;
  if (flags != 0) {
    result = (flags & QueueState::kBroken) != 0 ? kQueueBroken : kShutDown;
    if (has_place && places_) places_->Release(TrackedSemaphore::kNoLimit);
    return result;
  }
  const int taken = Take(has_place);
  if (taken < 0) return taken;
  result = feeder_->Put(item);
  if (result >= 0) return result;
  if (unfinished_) (void)unfinished_->TryAcquire();
  if (places_) {
    places_->CountTaken(-1);
    places_->Release(TrackedSemaphore::kNoLimit);
  }
  return result;
}

void QueueWriter::Close() {
  feeder_->Close();
  places_.reset();
  unfinished_.reset();
  state_.reset();
}

// The item counts as unfinished before anybody can get it, and so before it can be finished.
int QueueWriter::Take(bool has_place) noexcept {
  if (places_ && !has_place) {
    const int status = places_->TryAcquire();
    if (status < 0) return status;
  }
  if (places_) places_->CountTaken(1);
  if (!unfinished_) return 0;
  const int counted = unfinished_->Release(TrackedSemaphore::kNoLimit);
  if (counted < 0 && places_) {
    places_->CountTaken(-1);
    places_->Release(TrackedSemaphore::kNoLimit);
  }
  return counted;
}

}  // namespace mp
