// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"

namespace mp {

// How often a waiting thread checks whether the holder of what it waits for has died, and whether
// the reason to wait still exists. No system reports the end of another process together with a
// change of a semaphore or of a pipe.
inline constexpr std::chrono::milliseconds kCheckInterval{500};

// A semaphore as one environment uses it, with its record in the family's table. Any thread may use
// it.
class TrackedSemaphore {
 public:
  explicit TrackedSemaphore(std::shared_ptr<NamedSemaphore> semaphore) noexcept
      : semaphore_(std::move(semaphore)) {}
  // What it holds at the end stays visible as orphaned.
  ~TrackedSemaphore() {
    if (record_ != nullptr) table_->Abandon(record_);
  }
  TrackedSemaphore(const TrackedSemaphore&) = delete;
  TrackedSemaphore& operator=(const TrackedSemaphore&) = delete;

  NamedSemaphore& semaphore() const noexcept { return *semaphore_; }
  const std::shared_ptr<NamedSemaphore>& shared() const noexcept { return semaphore_; }

  // What its record says.
  enum class Role : uint8_t {
    kHolder,     // That this environment holds it.
    kQueueLock,  // The same for a queue's lock, which only its holder ever posts.
    kWaiter,     // How many calls wait on the condition that the semaphore belongs to.
    kSlots,      // How many of a queue's slots were taken for items that are on their way.
  };

  // From now on it belongs to a family, under this number. A full table leaves it without a record.
  void Track(std::shared_ptr<HolderTable> table, uint32_t number, Role role) noexcept {
    table_ = std::move(table);
    number_ = number;
    role_ = role;
    record_ = table_->Claim(number);
  }
  Role role() const noexcept { return role_; }
  // From now on it is a queue's lock.
  void UseAsQueueLock() noexcept {
    if (role_ == Role::kHolder) role_ = Role::kQueueLock;
  }
  // Whether its holder is recorded.
  bool has_holder() const noexcept {
    return record_ != nullptr && (role_ == Role::kHolder || role_ == Role::kQueueLock);
  }
  // Whether the death of a process can be a reason to end a wait for it.
  bool has_checks() const noexcept { return record_ != nullptr && role_ != Role::kWaiter; }

  // Whether its memory, and that of the table, is still that of the files.
  bool IsIntact() const noexcept {
    return semaphore_->IsIntact() && (table_ == nullptr || table_->IsIntact());
  }

  const std::shared_ptr<HolderTable>& table() const noexcept { return table_; }
  uint32_t number() const noexcept { return number_; }

  // -EAGAIN when the value is 0. -EIO once the file of the semaphore or the table was truncated.
  int TryAcquire() noexcept;
  // Tries several times before it returns -EAGAIN: for a lock whose holders keep it for about as
  // long as a read or a write takes.
  int TryAcquireBriefly() noexcept;
  // Records that a value was taken from the semaphore.
  void MarkHeld() noexcept {
    if (has_holder()) HolderTable::Set(record_, number_, Phase::kHolding, 1);
  }
  // Records that the holder is about to move a part of a message. At the boundary of two messages,
  // MarkHeld() takes that back.
  void MarkMoving() noexcept {
    if (has_holder()) HolderTable::Set(record_, number_, Phase::kMoving, 1);
  }
  // Changes the count of slots that were taken for items on their way.
  void CountReserved(int change) noexcept {
    if (record_ != nullptr && role_ == Role::kSlots) {
      HolderTable::Add(record_, number_, Phase::kReserved, change);
    }
  }

  // Posts. -EOVERFLOW, without posting, if the value has reached `max`.
  static constexpr int64_t kNoLimit = -1;
  int Release(int64_t max) noexcept;

  // For a waiting caller: looks for a dead holder. 0 when there is none, or when the semaphore was
  // posted on its behalf. That is done only where it is certain to be right: if all processes that
  // know the semaphore write records, or if only its holder ever posts it. Otherwise kOwnerDied,
  // also if the dead holder may have moved a part of a message. Slots that dead processes have
  // taken are returned. -EIO as for TryAcquire().
  int CheckHolder() noexcept;
  // Whether the holder died while it may have moved a part of a message.
  bool HasDeadMover() noexcept { return has_holder() && table_->FindDeadHolder(number_).moving; }
  // Posts on behalf of such a holder. True for the one caller that did so.
  bool ReleaseForDeadMover() noexcept;
  // The pid of a dead holder; 0 if there is none.
  uint32_t DeadHolder() noexcept;
  // Posts on behalf of a dead holder: 1, or 0 if there is none. With `force` also on behalf of one
  // that left no record, unless a living process has a record of holding it.
  int Recover(bool force) noexcept;

  // How many calls of this environment wait on the condition that this semaphore belongs to.
  void SetWaiting(uint32_t count) noexcept;
  bool HasLiveWaiter() noexcept { return table_ && table_->HasLiveWaiter(number_); }
  uint32_t ReapDeadWaiters() noexcept {
    return table_ ? table_->ReapDead(number_, Phase::kWaiting, Phase::kOrphanedWaiters) : 0;
  }

  void Expose() noexcept {
    if (table_) table_->Expose(number_);
  }

 private:
  void ReturnOrphanedSlots() noexcept;

  std::shared_ptr<NamedSemaphore> semaphore_;
  std::shared_ptr<HolderTable> table_;
  HolderTable::Record* record_ = nullptr;
  uint32_t number_ = 0;
  Role role_ = Role::kHolder;
};

}  // namespace mp
