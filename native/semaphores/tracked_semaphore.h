// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"
#include "util/steps.h"

namespace mp {

// How often a waiting thread checks whether the holder of what it waits for has died, and whether
// the reason to wait still exists. No system reports the end of another process together with a
// change of a semaphore or of a pipe.
inline constexpr std::chrono::milliseconds kCheckInterval{100};

// A semaphore as one environment uses it, with its record in the family's table. Any thread may use
// it. The threads of the environment (its own, the waiter, the feeder) take turns at the record.
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
    kSlots,      // How many of a queue's slots were taken for items that are not in the pipe yet.
  };

  // From now on it belongs to a family, under this number. 0 or -ENOSPC: without a record it must
  // not be used.
  int Track(std::shared_ptr<HolderTable> table, uint32_t number, Role role) noexcept {
    table_ = std::move(table);
    number_ = number;
    role_ = role;
    record_ = table_->Claim(number);
    return record_ == nullptr ? -ENOSPC : 0;
  }
  Role role() const noexcept { return role_; }
  // What a check does for slots: see CheckHolder(). Called by any thread.
  void set_slot_check(std::function<void()> check) { slot_check_ = std::move(check); }
  // Called when the name is given to processes that write no records.
  void set_on_expose(std::function<void()> call) { on_expose_ = std::move(call); }
  // From now on it is a queue's lock.
  void UseAsQueueLock() noexcept {
    if (role_ == Role::kHolder) role_ = Role::kQueueLock;
  }
  // Whether its holder is recorded.
  bool has_holder() const noexcept {
    return record_ != nullptr && (role_ == Role::kHolder || role_ == Role::kQueueLock);
  }
  // Whether a wait for it must look at the table now and then: for the death of its holder, or for
  // a notification that was left there.
  bool has_checks() const noexcept { return record_ != nullptr; }

  // Whether its memory, and that of the table, is still that of the files.
  bool IsIntact() const noexcept {
    return semaphore_->IsIntact() && (table_ == nullptr || table_->IsIntact());
  }

  const std::shared_ptr<HolderTable>& table() const noexcept { return table_; }
  uint32_t number() const noexcept { return number_; }

  // -EAGAIN when the value is 0. -EIO once the file of the semaphore or the table was truncated.
  int TryAcquire() noexcept {
    return TryAcquireWith([this] { return semaphore_->TryWait(); });
  }
  // The same by another way to take a value: 0 or -EAGAIN.
  template <typename Take>
  int TryAcquireWith(Take take) noexcept {
    if (table_ != nullptr && !table_->IsIntact()) return -EIO;
    if (record_ == nullptr || role_ == Role::kWaiter) return take();
    const std::lock_guard lock(mutex_);
    if (role_ == Role::kSlots)
      HolderTable::SetSlots(record_, number_, slots_ + 1, Phase::kCounting);
    // If this environment holds it already, the record says so, and nothing else is to be said.
    const bool idle = has_holder() && HolderTable::Move(record_, Phase::kIdle, Phase::kTaking);
    Step();
    const int status = take();
    Step();
    if (role_ == Role::kSlots) HolderTable::SetSlots(record_, number_, slots_ += status == 0);
    if (idle)
      HolderTable::Move(record_, Phase::kTaking, status == 0 ? Phase::kHolding : Phase::kIdle);
    return status;
  }
  // Tries several times before it returns -EAGAIN: for a lock whose holders keep it for about as
  // long as a read or a write takes.
  int TryAcquireBriefly() noexcept;
  // Sleeps for at most `slice`: 0 once the value was taken, -EAGAIN if it may be there, -ETIMEDOUT
  // or -EINTR. A process that is killed in its sleep has taken nothing.
  int Wait(std::chrono::nanoseconds slice) noexcept;

  // For the locks of a queue that has no usable stream record: the holder is about to move a part
  // of a message, or is at the boundary of two messages again.
  void MarkMoving() noexcept { Mark(Phase::kHolding, Phase::kMoving); }
  void MarkAtBoundary() noexcept { Mark(Phase::kMoving, Phase::kHolding); }

  // Of slots that this environment has taken: their items belong to the pipe now, or do not after
  // all.
  void PassOn(uint32_t slots) noexcept;
  void KeepAgain(uint32_t slots) noexcept;
  // The same for items that `note` moves to the stream record, or back: see SettleNoting().
  template <typename Note>
  void PassOnBy(uint32_t items, Note note) noexcept {
    const std::lock_guard lock(mutex_);
    slots_ -= std::min(items, slots_);
    NoteBy(0, note);
  }
  template <typename Note>
  void KeepAgainBy(uint32_t items, Note note) noexcept {
    const std::lock_guard lock(mutex_);
    NoteBy(items, note);
  }
  // Gives the record up. What it counts remains, for others to finish.
  void Leave() noexcept;
  // How many it has.
  uint32_t slots() noexcept;
  // Posts, and counts one slot more. The record says "counting" meanwhile, as for all changes.
  int PostForSlot() noexcept;
  // Takes a value, and counts one slot less, or, if it has none, one less of those of the others.
  int TakeForSlot(std::atomic<int64_t>* of_others = nullptr) noexcept;
  // Posts a slot whose item has left the pipe. As Release(), but for what no record counts.
  int ReturnSlot(int64_t max) noexcept;

  // Posts what this environment has taken, or, for a lock, what another process holds. -EOVERFLOW,
  // without posting, if the value has reached `max`.
  static constexpr int64_t kNoLimit = -1;
  int Release(int64_t max) noexcept;

  // For a waiting caller: looks for a dead holder. 0 when there is none, or when the semaphore was
  // posted in its place. That is done only where it is certain to be right: if all processes that
  // know the semaphore write records, or if only its holder ever posts it. Otherwise kOwnerDied,
  // also if the dead holder may have moved a part of a message. For slots, the slots are counted.
  // -EIO as for TryAcquire().
  int CheckHolder() noexcept;
  // Whether processes that write no records know the semaphore.
  bool IsExposed() noexcept { return table_ != nullptr && table_->IsExposed(number_); }
  // Whether the holder died while it may have moved a part of a message.
  bool HasDeadMover() noexcept { return has_holder() && table_->FindDeadHolder(number_).moving; }
  // Posts in the place of such a holder. True for the one caller that did so.
  bool ReleaseForDeadMover() noexcept;
  // The pid of a dead holder; 0 if there is none.
  uint32_t DeadHolder() noexcept;
  // Posts in the place of a dead holder: 1, or 0 if there is none. With `force` also on behalf of
  // one that left no record, unless a living process has a record of holding it.
  int Recover(bool force) noexcept;

  // How many calls of this environment wait on the condition that this semaphore belongs to.
  void SetWaiting(uint32_t count) noexcept;
  uint32_t CountWaiting() noexcept { return is_waiter() ? table_->CountWaiting(number_) : 0; }
  uint32_t CountWithoutTag() noexcept { return is_waiter() ? table_->CountWithoutTag(number_) : 0; }
  // Notifications outside of the semaphore, for waiters that are stopped: see HolderTable.
  uint32_t LeaveNotifications(uint32_t most) noexcept {
    return is_waiter() ? table_->LeaveNotifications(number_, most) : 0;
  }
  uint32_t CountNotified() noexcept { return is_waiter() ? table_->CountNotified(number_) : 0; }
  bool TakeNotification() noexcept {
    return is_waiter() && table_->TakeNotification(number_, record_);
  }
  bool TakeSurplusNotification(uint32_t calls) noexcept {
    return is_waiter() && table_->TakeSurplusNotification(number_, record_, calls);
  }
  uint32_t TakeOrphanedNotifications() noexcept {
    return is_waiter() ? table_->TakeOrphanedNotifications(number_) : 0;
  }
  uint32_t ReapDeadWaiters() noexcept { return table_ ? table_->ReapDeadWaiters(number_) : 0; }

  void Expose() noexcept {
    if (on_expose_) on_expose_();
    if (table_) table_->Expose(number_);
  }

 private:
  bool is_waiter() const noexcept { return record_ != nullptr && role_ == Role::kWaiter; }
  void Mark(Phase from, Phase to) noexcept {
    if (has_holder()) HolderTable::Move(record_, from, to);
  }
  template <typename Note>
  void NoteBy(uint32_t added, Note note) noexcept {
    HolderTable::SetSlots(record_, number_, slots_, Phase::kNoting);
    Step();
    note();
    HolderTable::SetSlots(record_, number_, slots_ += added);
    Step();
  }
  int CheckLimit(int64_t max) noexcept;
  int PostLocked() noexcept;
  bool TakeOver(const HolderTable::DeadHolder& dead) noexcept;

  std::shared_ptr<NamedSemaphore> semaphore_;
  std::shared_ptr<HolderTable> table_;
  HolderTable::Record* record_ = nullptr;
  std::mutex mutex_;  // For changes of the record.
  std::function<void()> slot_check_;
  std::function<void()> on_expose_;
  uint32_t slots_ = 0;  // What the record of slots says.
  uint32_t number_ = 0;
  Role role_ = Role::kHolder;
};

}  // namespace mp
