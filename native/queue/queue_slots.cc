// SPDX-License-Identifier: MIT
#include "queue/queue_slots.h"

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
  StreamLayout& numbers = stream_.record->layout();
  HolderTable& table = *slots_.table();
  const uint32_t number = slots_.number();
  stream_.record->CountReturning();
  // A process that dies from now on counts as living, and is found by the next check.
  bool certain = true;
  const uint32_t reaped = table.ReapDeadSlots(number, &certain);
  if (!certain) numbers.not_returned.fetch_add(1);
  numbers.owed.fetch_add(reaped);
  CountLost(stream_, reaped);
  uint64_t before = 0;
  uint64_t after = 0;
  const int64_t free = slots_.semaphore().Value();
  const int64_t taken = table.SumSlots(number, &before);
  if (taken < 0 || free < 0 || slots_.semaphore().Value() != free) return;
  if (table.SumSlots(number, &after) != taken || before != after) return;
  if (slots_.semaphore().Value() != free) return;
  const int64_t missing = most_ - free - taken - static_cast<int64_t>(stream_.record->depth());
  // Each missing slot is that of a lost item, unless it was taken for one that was never accepted,
  // or not returned for one that was read.
  const int64_t more = missing - static_cast<int64_t>(numbers.owed.load());
  if (more > 0 && numbers.not_returned.load() == 0) {
    numbers.owed.fetch_add(static_cast<uint64_t>(more));
    CountLost(stream_, static_cast<uint64_t>(more));
  }
  // If this process dies on the way, the next check posts the rest.
  for (int64_t i = 0; i < missing; i++) {
    if (slots_.ReturnSlot(most_) < 0) return;
  }
  numbers.not_returned.store(0);
  numbers.owed.store(0);
}

}  // namespace mp
