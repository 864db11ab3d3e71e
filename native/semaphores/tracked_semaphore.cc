// SPDX-License-Identifier: MIT
#include "semaphores/tracked_semaphore.h"

#include <cerrno>

#include "util/status.h"

namespace mp {

int TrackedSemaphore::TryAcquire() noexcept {
  const int status = semaphore_->TryWait();
  if (status == 0) MarkHeld();
  return status;
}

int TrackedSemaphore::Release(int64_t most) noexcept {
  if (most != kNoLimit) {
    const int value = semaphore_->Value();
    if (value >= 0 && value >= most) return -EOVERFLOW;
    // Without a way to ask, at least for a lock it can be tried, as CPython does.
    if (value == -ENOSYS && most == 1 && semaphore_->TryWait() == 0) {
      semaphore_->Post();
      return -EOVERFLOW;
    }
  }
  if (has_holder() && HolderTable::Holds(slot_)) {
    HolderTable::Set(slot_, number_, Phase::kIdle, 0);
  } else if (has_holder()) {
    table_->ClearHolder(number_);
  }
  return semaphore_->Post();
}

int TrackedSemaphore::CheckHolder() noexcept {
  if (!has_checks() || semaphore_->Value() > 0) return 0;
  if (role_ == Role::kPlaces) {
    GiveBackPlaces();
    return 0;
  }
  const HolderTable::Dead dead = table_->FindDeadHolder(number_);
  if (dead.slot == nullptr) return 0;
  if (dead.moving) return kOwnerDied;
  // What a queue's lock protects is between two messages, and its dead holder alone would have
  // posted it.
  const bool certain = role_ == Role::kTransfer || !table_->IsExposed(number_);
  if (!certain) return table_->HasLiveHolder(number_) ? 0 : kOwnerDied;
  if (HolderTable::Reap(dead)) semaphore_->Post();
  return 0;
}

// Where somebody takes part who keeps no account, a place too many would be his error, and what the
// dead have taken stays taken.
void TrackedSemaphore::GiveBackPlaces() noexcept {
  if (table_->IsExposed(number_)) return;
  const uint32_t places = table_->ReapDead(number_, Phase::kTaken, Phase::kLeft);
  for (uint32_t i = 0; i < places; i++) semaphore_->Post();
}

bool TrackedSemaphore::MendTorn() noexcept {
  if (!has_holder()) return false;
  const HolderTable::Dead dead = table_->FindDeadHolder(number_);
  return dead.moving && HolderTable::Reap(dead) && semaphore_->Post() == 0;
}

uint32_t TrackedSemaphore::DeadHolder() noexcept {
  return has_holder() ? table_->FindDeadHolder(number_).pid : 0;
}

int TrackedSemaphore::Recover(bool force) noexcept {
  if (!has_holder()) return 0;
  const HolderTable::Dead dead = table_->FindDeadHolder(number_);
  if (dead.slot == nullptr ? !force : !HolderTable::Reap(dead)) return 0;
  // Somebody without a record may have posted in the dead one's place already.
  if (semaphore_->Value() > 0 || table_->HasLiveHolder(number_)) return 0;
  return semaphore_->Post() == 0 ? 1 : 0;
}

void TrackedSemaphore::SetWaiting(uint32_t count) noexcept {
  if (slot_ == nullptr || role_ != Role::kWaiter) return;
  HolderTable::Set(slot_, number_, count > 0 ? Phase::kWaiting : Phase::kIdle, count);
}

}  // namespace mp
