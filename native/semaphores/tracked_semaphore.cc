// SPDX-License-Identifier: MIT
#include "semaphores/tracked_semaphore.h"

#include <cerrno>
#include <thread>

#include "util/status.h"

namespace mp {

int TrackedSemaphore::TryAcquire() noexcept {
  if (table_ != nullptr && !table_->IsIntact()) return -EIO;
  const int status = semaphore_->TryWait();
  if (status == 0) MarkHeld();
  return status;
}

int TrackedSemaphore::TryAcquireBriefly() noexcept {
  constexpr int kRetries = 20;
  int status = TryAcquire();
  for (int i = 0; status == -EAGAIN && i < kRetries; i++) {
    std::this_thread::yield();
    status = TryAcquire();
  }
  return status;
}

int TrackedSemaphore::Release(int64_t max) noexcept {
  if (max != kNoLimit) {
    const int value = semaphore_->Value();
    if (value >= 0 && value >= max) return -EOVERFLOW;
    // Where the value cannot be read, at least a lock can be tried, as CPython does.
    if (value == -ENOSYS && max == 1 && semaphore_->TryWait() == 0) {
      semaphore_->Post();
      return -EOVERFLOW;
    }
  }
  if (has_holder() && HolderTable::Holds(record_)) {
    HolderTable::Set(record_, number_, Phase::kIdle, 0);
  } else if (has_holder()) {
    table_->ClearHolder(number_);
  }
  return semaphore_->Post();
}

int TrackedSemaphore::CheckHolder() noexcept {
  const int value = semaphore_->Value();
  if (!IsIntact()) return -EIO;
  if (!has_checks() || role_ == Role::kWaiter || value > 0) return 0;
  if (role_ == Role::kSlots) {
    ReturnOrphanedSlots();
    return 0;
  }
  const HolderTable::DeadHolder dead = table_->FindDeadHolder(number_);
  if (dead.record == nullptr) return 0;
  if (dead.moving) return kOwnerDied;
  // A queue's lock is posted by its holder alone, and this one died between two messages.
  const bool certain = role_ == Role::kQueueLock || !table_->IsExposed(number_);
  if (!certain) return table_->HasLiveHolder(number_) ? 0 : kOwnerDied;
  if (HolderTable::Reap(dead)) semaphore_->Post();
  return 0;
}

// With a member that writes no records, returning slots could exceed the queue's maxsize. What dead
// processes have taken then stays taken.
void TrackedSemaphore::ReturnOrphanedSlots() noexcept {
  if (table_->IsExposed(number_)) return;
  const uint32_t slots = table_->ReapDead(number_, Phase::kReserved, Phase::kOrphanedSlots);
  for (uint32_t i = 0; i < slots; i++) semaphore_->Post();
}

bool TrackedSemaphore::ReleaseForDeadMover() noexcept {
  if (!has_holder()) return false;
  const HolderTable::DeadHolder dead = table_->FindDeadHolder(number_);
  return dead.moving && HolderTable::Reap(dead) && semaphore_->Post() == 0;
}

uint32_t TrackedSemaphore::DeadHolder() noexcept {
  return has_holder() ? table_->FindDeadHolder(number_).pid : 0;
}

int TrackedSemaphore::Recover(bool force) noexcept {
  if (!has_holder()) return 0;
  const HolderTable::DeadHolder dead = table_->FindDeadHolder(number_);
  if (dead.record == nullptr ? !force : !HolderTable::Reap(dead)) return 0;
  // A process that writes no records may have posted on behalf of the dead holder already.
  if (semaphore_->Value() > 0 || table_->HasLiveHolder(number_)) return 0;
  return semaphore_->Post() == 0 ? 1 : 0;
}

void TrackedSemaphore::SetWaiting(uint32_t count) noexcept {
  if (!is_waiter()) return;
  HolderTable::Set(record_, number_, count > 0 ? Phase::kWaiting : Phase::kIdle, count);
}

}  // namespace mp
