// SPDX-License-Identifier: MIT
#include "queue/queue_writer.h"

#include <cerrno>

#include "util/status.h"

namespace mp {

int64_t QueueWriter::Put(const QueueItem& item, bool has_slot, bool gather) {
  if (!state_) return -EBADF;
  const uint32_t flags = state_->Flags();
  int64_t result = 0;
  if (flags != 0) {
    result = (flags & QueueState::kBroken) != 0 ? kQueueBroken : kShutDown;
    if (has_slot && slots_) slots_->Release(TrackedSemaphore::kNoLimit);
    return result;
  }
  const int counted = Count(has_slot);
  if (counted < 0) return counted;
  result = feeder_->Put(item, gather);
  if (result >= 0) return result;
  if (is_joinable_)
    (void)accepted_->TakeForSlot();
  else
    accepted_->PassOn(1);
  if (slots_) slots_->Release(TrackedSemaphore::kNoLimit);
  return result;
}

void QueueWriter::Close() {
  feeder_->Close();
  slots_.reset();
  accepted_.reset();
  state_.reset();
}

// The item counts as unfinished before a member can get it, and so before it can be finished.
int QueueWriter::Count(bool has_slot) noexcept {
  if (slots_ && !has_slot) {
    const int status = slots_->TryAcquire();
    if (status < 0) return status;
  }
  if (!is_joinable_) {
    accepted_->KeepAgain(1);
    return 0;
  }
  const int counted = accepted_->PostForSlot();
  if (counted < 0 && slots_) slots_->Release(TrackedSemaphore::kNoLimit);
  return counted;
}

}  // namespace mp
