// SPDX-License-Identifier: MIT
#include "queue/queue_slots.h"

#include <algorithm>
#include <utility>

namespace mp {

QueueSlots::QueueSlots(StreamResources stream, TrackedSemaphore& slots, int64_t most,
                       std::weak_ptr<Endpoint> pipe) noexcept
    : stream_(std::move(stream)), slots_(slots), most_(most), pipe_(std::move(pipe)) {}

void QueueSlots::Check() noexcept {
  const std::shared_ptr<Endpoint> pipe = pipe_.lock();
  if (!pipe || !stream_.record->is_kept()) return;
  TrackedSemaphore& wlock = *stream_.wlock;
  TrackedSemaphore& rlock = *stream_.rlock;
  (void)wlock.CheckHolder();
  (void)rlock.CheckHolder();
  // With both locks no item enters the pipe or leaves it.
  if (wlock.TryAcquire() < 0) return;
  if (rlock.TryAcquire() == 0) {
    CheckWithLocks(pipe->fd());
    rlock.Release(TrackedSemaphore::kNoLimit);
  }
  wlock.Release(TrackedSemaphore::kNoLimit);
}

void QueueSlots::CheckSeldom() noexcept {
  const auto now = Deadline::Clock::now();
  if (now - checked_ < kCheckInterval) return;
  checked_ = now;
  Check();
}

void QueueSlots::CheckUnfinished() noexcept {
  if (unfinished_number_ == 0) return;
  bool certain = true;
  const uint32_t in_hand = slots_.table()->ReapDeadSlots(unfinished_number_, &certain);
  if (stream_.record->layout().finished_elsewhere.load() == 0) CountLost(stream_, in_hand);
}

void QueueSlots::CheckWithLocks(int fd) noexcept {
  CheckUnfinished();
  if (RepairWriter(stream_, fd) < 0 || RepairReader(stream_, fd) < 0) return;
  HolderTable& table = *slots_.table();
  const uint32_t number = slots_.number();
  uint64_t before = 0;
  uint64_t after = 0;
  const int64_t free = slots_.semaphore().Value();
  const int64_t taken = table.SumSlots(number, &before);
  if (taken < 0 || free < 0 || slots_.semaphore().Value() != free) return;
  if (table.SumSlots(number, &after) != taken || before != after) return;
  if (slots_.semaphore().Value() != free) return;
  const auto in_pipe = static_cast<int64_t>(stream_.record->depth());
  const int64_t missing = std::max<int64_t>(most_ - free - taken - in_pipe, 0);
  // Each missing slot is that of a lost item, unless it was taken for one that was never accepted,
  // or not returned for one that was read.
  stream_.record->CountReturning();
  bool certain = stream_.record->layout().not_returned.exchange(0) == 0;
  const uint32_t counted = table.ReapDeadSlots(number, &certain);
  CountLost(stream_, certain ? std::max<uint64_t>(static_cast<uint64_t>(missing), counted) : counted);
  // If this process dies on the way, the next check posts the rest.
  for (int64_t i = 0; i < missing; i++) {
    if (slots_.ReturnSlot(most_) < 0) return;
  }
}

}  // namespace mp
