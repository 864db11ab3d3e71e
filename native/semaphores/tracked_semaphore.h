// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"

namespace mp {

// A semaphore as one environment uses it, and what its family's table says of it. Any thread may
// use it.
class TrackedSemaphore {
 public:
  explicit TrackedSemaphore(std::shared_ptr<NamedSemaphore> semaphore) noexcept
      : semaphore_(std::move(semaphore)) {}
  // What it holds at the end stays visible as an orphan's.
  ~TrackedSemaphore() {
    if (slot_ != nullptr) table_->Abandon(slot_);
  }
  TrackedSemaphore(const TrackedSemaphore&) = delete;
  TrackedSemaphore& operator=(const TrackedSemaphore&) = delete;

  NamedSemaphore& semaphore() const noexcept { return *semaphore_; }
  const std::shared_ptr<NamedSemaphore>& shared() const noexcept { return semaphore_; }

  // What is recorded of it.
  enum class Role : uint8_t {
    kHolder,    // Who holds it.
    kTransfer,  // The same, of a queue's lock: nobody but its holder ever posts it.
    kWaiter,    // Who waits on the condition that it belongs to.
    kPlaces,    // Who has taken how many of a queue's free places, for items on their way.
  };

  // Belongs to a family from now on, under this number. A full table leaves it without a record.
  void Track(std::shared_ptr<HolderTable> table, uint32_t number, Role role) noexcept {
    table_ = std::move(table);
    number_ = number;
    role_ = role;
    slot_ = table_->Claim(number);
  }
  // Becomes a queue's lock.
  void UseForTransfer() noexcept {
    if (role_ == Role::kHolder) role_ = Role::kTransfer;
  }
  // Whether it is recorded who holds it.
  bool has_holder() const noexcept {
    return slot_ != nullptr && (role_ == Role::kHolder || role_ == Role::kTransfer);
  }
  // Whether the death of somebody can be a reason not to wait for it any longer.
  bool has_checks() const noexcept { return slot_ != nullptr && role_ != Role::kWaiter; }

  const std::shared_ptr<HolderTable>& table() const noexcept { return table_; }
  uint32_t number() const noexcept { return number_; }

  // -EAGAIN when the value is 0.
  int TryAcquire() noexcept;
  // Records that a value was taken from the semaphore.
  void MarkHeld() noexcept {
    if (has_holder()) HolderTable::Set(slot_, number_, Phase::kHolding, 1);
  }
  // Records that its holder is about to move a part of a message; MarkHeld() is for between two.
  void MarkMoving() noexcept {
    if (has_holder()) HolderTable::Set(slot_, number_, Phase::kMoving, 1);
  }
  // Counts the free places that were taken for items on their way.
  void CountTaken(int change) noexcept {
    if (slot_ != nullptr && role_ == Role::kPlaces) {
      HolderTable::Add(slot_, number_, Phase::kTaken, change);
    }
  }

  // Posts; -EOVERFLOW, without posting, if the value has reached `most`.
  static constexpr int64_t kNoLimit = -1;
  int Release(int64_t most) noexcept;

  // What a waiter does about a holder that has died: 0 when there is none, or when the semaphore
  // was posted in its place, which is certain to be right if all who know it write records, or if
  // nobody else ever posts it. Otherwise kOwnerDied; also if the dead one may have moved a part of
  // a message. Places that the dead have taken are given back.
  int CheckHolder() noexcept;
  // Whether the holder died while it may have moved a part of a message.
  bool HasTornHolder() noexcept { return has_holder() && table_->FindDeadHolder(number_).moving; }
  // Posts in the place of such a holder. True for the one caller that did so.
  bool MendTorn() noexcept;
  // Whether somebody who is alive has a record of holding it.
  bool HasLiveHolder() noexcept { return has_holder() && table_->HasLiveHolder(number_); }
  // The pid of a dead holder; 0 if there is none.
  uint32_t DeadHolder() noexcept;
  // Posts in the place of a dead holder: 1, or 0 if there is none. With `force` also in that of one
  // who left no record, unless somebody who is alive has one.
  int Recover(bool force) noexcept;

  // How many calls of this environment wait on the condition that this semaphore belongs to.
  void SetWaiting(uint32_t count) noexcept;
  uint32_t ReapDeadWaiters() noexcept {
    return table_ ? table_->ReapDead(number_, Phase::kWaiting, Phase::kLost) : 0;
  }

  void Expose() noexcept {
    if (table_) table_->Expose(number_);
  }

 private:
  void GiveBackPlaces() noexcept;

  std::shared_ptr<NamedSemaphore> semaphore_;
  std::shared_ptr<HolderTable> table_;
  HolderTable::Slot* slot_ = nullptr;
  uint32_t number_ = 0;
  Role role_ = Role::kHolder;
};

}  // namespace mp
