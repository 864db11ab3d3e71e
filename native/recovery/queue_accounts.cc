// SPDX-License-Identifier: MIT
#include "recovery/queue_accounts.h"

#include <cerrno>
#include <utility>

#include "util/steps.h"

namespace mp {

QueueAccounts::QueueAccounts(StreamResources stream, TrackedSemaphore* slots, int64_t most,
                             std::weak_ptr<Endpoint> pipe) noexcept
    : stream_(std::move(stream)),
      slots_(slots),
      most_(most),
      pipe_(std::move(pipe)),
      accepted_number_(StreamResources::AcceptedNumber(stream_.wlock->number())) {}

void QueueAccounts::Check() noexcept {
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

void QueueAccounts::CheckSeldom() noexcept {
  const auto now = Deadline::Clock::now();
  if (now - checked_ < kCheckInterval) return;
  checked_ = now;
  Check();
}

// With both locks, so a count of accepted items can only grow, and one of items in hand only
// shrink.
int64_t QueueAccounts::SumUnfinished(uint64_t* seal) noexcept {
  HolderTable& table = *stream_.rlock->table();
  const int64_t in_other_hands = stream_.record->in_other_hands();
  uint64_t accepted_seal = 0;
  uint64_t in_hand_seal = 0;
  const int64_t accepted = table.SumSlots(accepted_number_, &accepted_seal);
  const int64_t in_hand = table.SumSlots(unfinished_number_, &in_hand_seal);
  if (accepted < 0 || in_hand < 0) return -EAGAIN;
  *seal = (accepted_seal * 31 + in_hand_seal) * 31 + static_cast<uint64_t>(in_other_hands);
  return accepted + in_hand + in_other_hands + static_cast<int64_t>(stream_.record->depth());
}

void QueueAccounts::CheckItems() noexcept {
  HolderTable& table = *stream_.rlock->table();
  const uint32_t not_written = table.ReapDeadSlots(accepted_number_).all;
  if (unfinished_number_ == 0) {
    CountLost(stream_, not_written);
    return;
  }
  // What counts as unfinished although no process counts it was lost with a process, whichever step
  // was its last one.
  const StreamLayout& numbers = stream_.record->layout();
  const NamedSemaphore& unfinished = stream_.unfinished->semaphore();
  const bool kept = numbers.finished_elsewhere.load() != 0;
  (void)table.ReapDeadSlots(unfinished_number_, kept);
  FoldLeft();
  uint64_t before = 0;
  uint64_t after = 0;
  const int64_t known = SumUnfinished(&before);
  const int64_t value = unfinished.Value();
  if (known < 0 || SumUnfinished(&after) != known || before != after) return;
  // Not every system tells the value.
  if (unfinished.Value() != value || value <= known) return;
  FinishLost(stream_, static_cast<uint64_t>(value - known));
}

void QueueAccounts::FoldLeft() noexcept {
  HolderTable& table = *stream_.rlock->table();
  StreamLayout& numbers = stream_.record->layout();
  for (;;) {
    uint64_t folding = numbers.folding.load();
    if (folding == 0) {
      const HolderTable::Left found = table.FindLeft(unfinished_number_);
      if (found.record == 0) return;
      folding = found.record;
      numbers.left_after.store(numbers.left.load() + found.items);
      Step();
      numbers.folding.store(folding);
      Step();
    }
    numbers.left.store(numbers.left_after.load());
    Step();
    table.RemoveLeft(unfinished_number_, folding);
    Step();
    numbers.folding.store(0);
    Step();
  }
}

void QueueAccounts::CheckWithLocks(int fd) noexcept {
  if (RepairBoth(stream_, fd) < 0) return;
  CheckItems();
  if (slots_ != nullptr) CheckSlots();
}

void QueueAccounts::CheckSlots() noexcept {
  HolderTable& table = *slots_->table();
  const uint32_t number = slots_->number();
  const HolderTable::DeadSlots dead = table.ReapDeadSlots(number);
  // Python members take a slot for each item that they accept, and count items in JoinableQueues
  // only.
  if (unfinished_number_ == 0) CountLost(stream_, dead.of_python);
  Step();
  uint64_t before = 0;
  uint64_t after = 0;
  const int64_t free = slots_->semaphore().Value();
  // A process that dies from now on counts as living, and is found by the next check.
  const int64_t taken = table.SumSlots(number, &before);
  if (taken < 0 || free < 0 || slots_->semaphore().Value() != free) return;
  if (table.SumSlots(number, &after) != taken || before != after) return;
  if (slots_->semaphore().Value() != free) return;
  const int64_t missing = most_ - free - taken - static_cast<int64_t>(stream_.record->depth());
  // If this process dies on the way, the next check posts the rest.
  for (int64_t i = 0; i < missing; i++) {
    if (slots_->ReturnSlot(most_) < 0) return;
  }
}

}  // namespace mp
