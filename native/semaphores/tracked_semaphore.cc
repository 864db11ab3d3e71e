// SPDX-License-Identifier: MIT
#include "semaphores/tracked_semaphore.h"

#include <algorithm>
#include <thread>

#include "util/status.h"

namespace mp {

namespace {

// Where nothing wakes a waiting process, it tries again after this time.
constexpr std::chrono::milliseconds kPause{2};

}  // namespace

int TrackedSemaphore::TryAcquireBriefly() noexcept {
  constexpr int kRetries = 20;
  int status = TryAcquire();
  for (int i = 0; status == -EAGAIN && i < kRetries; i++) {
    std::this_thread::yield();
    status = TryAcquire();
  }
  return status;
}

int TrackedSemaphore::Wait(std::chrono::nanoseconds slice) noexcept {
  if (!has_holder()) return semaphore_->Wait(slice);
  const int status = semaphore_->Await(slice);
  if (status == -ENOSYS) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(slice, kPause));
    const int taken = TryAcquire();
    return taken == -EAGAIN && slice <= kPause ? -ETIMEDOUT : taken;
  }
  return status < 0 ? status : TryAcquire();
}

int TrackedSemaphore::CheckLimit(int64_t max) noexcept {
  if (max == kNoLimit) return 0;
  const int value = semaphore_->Value();
  if (value >= 0 && value >= max) return -EOVERFLOW;
  // Where the value cannot be read, at least a lock can be tried, as CPython does.
  if (value == -ENOSYS && max == 1 && semaphore_->TryWait() == 0) {
    semaphore_->Post();
    return -EOVERFLOW;
  }
  return 0;
}

int TrackedSemaphore::Release(int64_t max) noexcept {
  const int limit = CheckLimit(max);
  if (limit < 0) return limit;
  if (record_ == nullptr || role_ == Role::kWaiter) return semaphore_->Post();
  const std::lock_guard lock(mutex_);
  if (role_ != Role::kSlots) return PostLocked();
  HolderTable::SetSlots(record_, number_, slots_, Phase::kCounting);
  Step();
  const int status = semaphore_->Post();
  Step();
  if (slots_ > 0) slots_--;
  HolderTable::SetSlots(record_, number_, slots_);
  return status;
}

// The record says "releasing" before another one stops to say "holding". A process that is killed
// in between leaves one of the two.
int TrackedSemaphore::PostLocked() noexcept {
  if (!HolderTable::Move(record_, Phase::kHolding, Phase::kReleasing) &&
      !HolderTable::Move(record_, Phase::kMoving, Phase::kReleasing)) {
    HolderTable::Move(record_, Phase::kIdle, Phase::kReleasing);
    Step();
    if (!table_->ClearHolder(number_)) {
      HolderTable::Move(record_, Phase::kReleasing, Phase::kIdle);
      return 0;
    }
  }
  Step();
  const int status = semaphore_->Post();
  Step();
  HolderTable::Move(record_, Phase::kReleasing, Phase::kIdle);
  return status;
}

void TrackedSemaphore::PassOn(uint32_t slots) noexcept {
  if (record_ == nullptr || role_ != Role::kSlots) return;
  const std::lock_guard lock(mutex_);
  slots_ -= std::min(slots, slots_);
  HolderTable::SetSlots(record_, number_, slots_);
}

void TrackedSemaphore::KeepAgain(uint32_t slots) noexcept {
  const std::lock_guard lock(mutex_);
  if (record_ == nullptr || role_ != Role::kSlots) return;
  HolderTable::SetSlots(record_, number_, slots_ += slots);
}

void TrackedSemaphore::Leave() noexcept {
  const std::lock_guard lock(mutex_);
  if (record_ == nullptr || slots_ == 0) return;
  table_->Leave(std::exchange(record_, nullptr), number_, slots_);
}

uint32_t TrackedSemaphore::slots() noexcept {
  const std::lock_guard lock(mutex_);
  return slots_;
}

int TrackedSemaphore::PostForSlot() noexcept {
  if (record_ == nullptr || role_ != Role::kSlots) return semaphore_->Post();
  const std::lock_guard lock(mutex_);
  HolderTable::SetSlots(record_, number_, slots_ + 1, Phase::kCounting);
  Step();
  const int status = semaphore_->Post();
  Step();
  if (status == 0) slots_++;
  HolderTable::SetSlots(record_, number_, slots_);
  Step();
  return status;
}

int TrackedSemaphore::TakeForSlot(std::atomic<int64_t>* of_others) noexcept {
  if (record_ == nullptr || role_ != Role::kSlots) return TryAcquire();
  const std::lock_guard lock(mutex_);
  HolderTable::SetSlots(record_, number_, slots_, Phase::kCounting);
  Step();
  const int status = semaphore_->TryWait();
  Step();
  if (status == 0 && slots_ > 0) {
    slots_--;
  } else if (status == 0 && of_others != nullptr) {
    of_others->fetch_sub(1);
    Step();
  }
  HolderTable::SetSlots(record_, number_, slots_);
  return status;
}

int TrackedSemaphore::ReturnSlot(int64_t max) noexcept {
  const int limit = CheckLimit(max);
  return limit < 0 ? limit : semaphore_->Post();
}

bool TrackedSemaphore::TakeOver(const HolderTable::DeadHolder& dead) noexcept {
  const std::lock_guard lock(mutex_);
  return table_->TakeOver(dead, record_) && PostLocked() == 0;
}

int TrackedSemaphore::CheckHolder() noexcept {
  const int value = semaphore_->Value();
  if (!IsIntact()) return -EIO;
  if (!has_checks() || role_ == Role::kWaiter || value > 0) return 0;
  if (role_ == Role::kSlots) {
    if (slot_check_) slot_check_();
    return 0;
  }
  const bool exposed = table_->IsExposed(number_);
  const HolderTable::DeadHolder dead =
      table_->FindDeadHolder(number_, exposed ? nullptr : semaphore_.get());
  if (dead.record == nullptr) return 0;
  if (dead.moving) return kOwnerDied;
  // A queue's lock is posted by its holder alone.
  const bool certain = role_ == Role::kQueueLock || !exposed;
  if (!certain) return table_->HasLiveHolder(number_) ? 0 : kOwnerDied;
  (void)TakeOver(dead);
  return 0;
}

bool TrackedSemaphore::ReleaseForDeadMover() noexcept {
  if (!has_holder()) return false;
  const HolderTable::DeadHolder dead = table_->FindDeadHolder(number_);
  return dead.moving && TakeOver(dead);
}

uint32_t TrackedSemaphore::DeadHolder() noexcept {
  return has_holder() ? table_->FindDeadHolder(number_).pid : 0;
}

int TrackedSemaphore::Recover(bool force) noexcept {
  if (!has_holder()) return 0;
  const bool exposed = table_->IsExposed(number_);
  const HolderTable::DeadHolder dead =
      table_->FindDeadHolder(number_, exposed ? nullptr : semaphore_.get());
  // A process that writes no records may have posted in the place of the dead holder already.
  if (semaphore_->Value() > 0 || table_->HasLiveHolder(number_)) {
    HolderTable::Reap(dead);
    return 0;
  }
  if (dead.record != nullptr) return TakeOver(dead) ? 1 : 0;
  return force && semaphore_->Post() == 0 ? 1 : 0;
}

void TrackedSemaphore::SetWaiting(uint32_t count) noexcept {
  if (!is_waiter()) return;
  HolderTable::Set(record_, number_, count > 0 ? Phase::kWaiting : Phase::kIdle, count);
}

}  // namespace mp
