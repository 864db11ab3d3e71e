// SPDX-License-Identifier: MIT
#include "queue/queue_slots.h"

#include <cerrno>
#include <utility>

#include "util/steps.h"

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

bool QueueSlots::CountsUnfinished() const noexcept {
  if (unfinished_number_ == 0 || stream_.record->layout().uncounted.load() != 0) return false;
  // Not every system tells it.
  return stream_.unfinished->semaphore().Value() >= 0;
}

// With both locks, so a count of accepted items can only grow, and one of items in hand only
// shrink.
int64_t QueueSlots::SumUnfinished(uint64_t* seal) noexcept {
  const StreamLayout& numbers = stream_.record->layout();
  HolderTable& table = *slots_.table();
  const int64_t in_other_hands = numbers.in_other_hands.load();
  uint64_t accepted_seal = 0;
  uint64_t in_hand_seal = 0;
  const int64_t accepted = table.SumSlots(AcceptedNumber(unfinished_number_), &accepted_seal);
  const int64_t in_hand = table.SumSlots(unfinished_number_, &in_hand_seal);
  if (accepted < 0 || in_hand < 0) return -EAGAIN;
  *seal = (accepted_seal * 31 + in_hand_seal) * 31 + static_cast<uint64_t>(in_other_hands);
  return accepted + in_hand + in_other_hands + static_cast<int64_t>(stream_.record->depth());
}

// An unfinished item is in the pipe, or a living process counts it. What counts as unfinished
// besides was lost with a process, whichever step was its last one.
void QueueSlots::CheckUnfinished() noexcept {
  if (!CountsUnfinished()) return;
  StreamLayout& numbers = stream_.record->layout();
  HolderTable& table = *slots_.table();
  const NamedSemaphore& unfinished = stream_.unfinished->semaphore();
  bool certain = true;
  const bool kept = numbers.finished_elsewhere.load() != 0;
  (void)table.ReapDeadSlots(AcceptedNumber(unfinished_number_), &certain);
  (void)table.ReapDeadSlots(unfinished_number_, &certain, kept ? &numbers.in_other_hands : nullptr);
  Step();
  uint64_t before = 0;
  uint64_t after = 0;
  const int64_t known = SumUnfinished(&before);
  const int64_t value = unfinished.Value();
  if (known < 0 || SumUnfinished(&after) != known || before != after) return;
  if (unfinished.Value() != value || !CountsUnfinished() || value <= known) return;
  FinishLost(stream_, static_cast<uint64_t>(value - known));
}

void QueueSlots::CheckWithLocks(int fd) noexcept {
  if (RepairWriter(stream_, fd) < 0 || RepairReader(stream_, fd) < 0) return;
  CheckUnfinished();
  // A slot may have been taken for an item that was never accepted, so lost items are counted by
  // slots only where nothing better counts them.
  const bool by_slots = !CountsUnfinished();
  StreamLayout& numbers = stream_.record->layout();
  HolderTable& table = *slots_.table();
  const uint32_t number = slots_.number();
  stream_.record->CountReturning();
  // A process that dies from now on counts as living, and is found by the next check.
  bool certain = true;
  const uint32_t reaped = table.ReapDeadSlots(number, &certain);
  if (!certain) numbers.not_returned.fetch_add(1);
  numbers.owed.fetch_add(reaped);
  if (by_slots) CountLost(stream_, reaped);
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
    if (by_slots) CountLost(stream_, static_cast<uint64_t>(more));
  }
  // If this process dies on the way, the next check posts the rest.
  for (int64_t i = 0; i < missing; i++) {
    if (slots_.ReturnSlot(most_) < 0) return;
  }
  numbers.not_returned.store(0);
  numbers.owed.store(0);
}

}  // namespace mp
