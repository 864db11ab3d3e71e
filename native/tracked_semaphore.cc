// SPDX-License-Identifier: MIT
#include "tracked_semaphore.h"

#include <cerrno>

#include "status.h"

namespace mp {

int TrackedSemaphore::TryAcquire() noexcept {
  const int status = semaphore_->TryWait();
  if (status == 0) MarkHeld();
  return status;
}

int TrackedSemaphore::Release(uint32_t most) noexcept {
  if (most > 0) {
    const int value = semaphore_->Value();
    if (value >= 0 && static_cast<uint32_t>(value) >= most) return -EOVERFLOW;
    // Without a way to ask, at least for a lock it can be tried, as CPython does.
    if (value == -ENOSYS && most == 1 && semaphore_->TryWait() == 0) {
      semaphore_->Post();
      return -EOVERFLOW;
    }
  }
  if (slot_ != nullptr && HolderTable::Count(slot_, Phase::kHolding) > 0) {
    HolderTable::Set(slot_, number_, Phase::kIdle, 0);
  } else if (slot_ != nullptr) {
    table_->ClearHolder(number_);
  }
  return semaphore_->Post();
}

int TrackedSemaphore::CheckHolder() noexcept {
  if (slot_ == nullptr || semaphore_->Value() > 0) return 0;
  uint32_t pid = 0;
  HolderTable::Slot* dead = table_->FindDeadHolder(number_, &pid);
  if (dead == nullptr) return 0;
  if (table_->IsExposed(number_)) return table_->HasLiveHolder(number_) ? 0 : kOwnerDied;
  if (HolderTable::Reap(dead, number_)) semaphore_->Post();
  return 0;
}

uint32_t TrackedSemaphore::DeadHolder() noexcept {
  uint32_t pid = 0;
  if (table_) table_->FindDeadHolder(number_, &pid);
  return pid;
}

int TrackedSemaphore::Recover(bool force) noexcept {
  if (!table_) return 0;
  uint32_t pid = 0;
  HolderTable::Slot* dead = table_->FindDeadHolder(number_, &pid);
  if (dead != nullptr) {
    if (!HolderTable::Reap(dead, number_)) return 0;
    // Somebody without a record may have posted in its place already.
    if (semaphore_->Value() > 0) return 0;
    return semaphore_->Post() == 0 ? 1 : 0;
  }
  if (!force || semaphore_->Value() > 0 || table_->HasLiveHolder(number_)) return 0;
  return semaphore_->Post() == 0 ? 1 : 0;
}

void TrackedSemaphore::SetWaiting(uint32_t count) noexcept {
  if (slot_ == nullptr) return;
  HolderTable::Set(slot_, number_, count > 0 ? Phase::kWaiting : Phase::kIdle, count);
}

}  // namespace mp
