// SPDX-License-Identifier: MIT
//
// Which process holds which lock, and how many calls wait on which condition, in a page that every
// Node member of a family maps. A semaphore does not store its holder, so the death of a holder is
// noticed by these records. They are written after acquiring and cleared before posting. A process
// that is killed in the few instructions between leaves no record, or one that harms nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "os/guarded_mapping.h"

namespace mp {

enum class Phase : uint32_t {
  kIdle = 0,      // The record is kept for its owner's next use.
  kHolding = 1,   // The owner holds the lock.
  kWaiting = 2,   // The count is how many of the owner's calls sleep on the condition.
  kExposed = 5,   // A mark: processes that write no records know the semaphore's name.
  kClosed = 6,    // A mark: the name is gone. The records go once no process has it open.
  kMoving = 7,    // The owner holds a queue's lock, and may have moved a part of a message.
  kReserved = 9,  // The count is how many of a queue's slots the owner has taken for items that are
                  // on their way.
  kQueue = 11,    // The state of a queue. The count is a set of flags that all members share.
  kFilling = 12,  // A process has just claimed the record. Its owner is not written yet.
  kTaking = 13,     // The owner is about to try the lock, or has it and has not said so yet.
  kReleasing = 14,  // The owner is about to post the lock, or has posted it and not said so yet.
  kCounting = 15,   // As kReserved, while a slot is being taken or given back: the slot of the
                    // change counts already, and may not have been taken, or have been given back.

  // What remains of a record when its thread has ended; the process may live on.
  kOrphanedHolder = 3,   // Of kHolding.
  kOrphanedWaiters = 4,  // Of kWaiting.
  kOrphanedMover = 8,    // Of kMoving.
  kOrphanedSlots = 10,   // Of kReserved.
};

class HolderTable {
 public:
  // Only its owner writes a record, except that others clear or reap it.
  struct Record {
    // Semaphore number, tag, count and phase; 0 for a free record.
    std::atomic<uint64_t> state;
    std::atomic<uint64_t> start;  // When the owning process started, in clock ticks since boot.
    std::atomic<uint64_t> space;  // The inode of its pid namespace.
    std::atomic<uint32_t> pid;
    // Differs between claims, so that a record that was given up and claimed again is not mistaken
    // for the earlier one.
    std::atomic<uint32_t> tag;
  };

  // A dead holder's record, as it was found.
  struct DeadHolder {
    Record* record = nullptr;
    uint64_t state = 0;
    uint32_t pid = 0;
    bool moving = false;
  };

  // Maps the table at `path`, which is made if `create`. 0 or -errno (ENOSPC when there is no
  // memory for the page, EIO when an existing table was truncated).
  static int Open(const std::string& path, bool create, std::shared_ptr<HolderTable>* out);
  ~HolderTable();
  HolderTable(const HolderTable&) = delete;
  HolderTable& operator=(const HolderTable&) = delete;

  // False once the file was truncated or overwritten. The records of the other members are gone
  // then, and so are the ones of this process for the others.
  bool IsIntact() const noexcept;

  // The number of a new semaphore, from 1. No other semaphore of the family ever has the same.
  uint32_t NextNumber() noexcept;

  // A record for a semaphore, or nullptr if all are in use. Abandon() must follow.
  Record* Claim(uint32_t number) noexcept;

  // A phase with a count, which is 1 for a holder.
  static void Set(Record* record, uint32_t number, Phase phase, uint32_t count) noexcept {
    const uint32_t tag = record->tag.load(std::memory_order_relaxed);
    record->state.store(Pack(number, tag, phase, count), std::memory_order_release);
  }
  static uint32_t Count(const Record* record, Phase phase) noexcept;
  // Whether the owner of the record holds the lock, moving a message or not.
  static bool Holds(const Record* record) noexcept {
    return Count(record, Phase::kHolding) > 0 || Count(record, Phase::kMoving) > 0;
  }
  // Changes the count, for records that several threads of the owner change.
  static void Add(Record* record, uint32_t number, Phase phase, int change) noexcept;
  // Gives a record up. What its owner holds or waits for stays visible, as orphaned.
  void Abandon(Record* record) noexcept;

  // Clears the holder's record, for a caller that posts on behalf of the holder.
  void ClearHolder(uint32_t number) noexcept;

  // Without a record if there is no dead holder.
  DeadHolder FindDeadHolder(uint32_t number) noexcept;
  // Whether the semaphore has a holder that is not known to be dead.
  bool HasLiveHolder(uint32_t number) noexcept;
  // Whether a living process has a record of waiting calls.
  bool HasLiveWaiter(uint32_t number) noexcept;
  // Removes the record. True for the one caller that may post what its owner held.
  static bool Reap(DeadHolder dead) noexcept {
    return dead.record != nullptr && dead.record->state.compare_exchange_strong(dead.state, 0);
  }
  // Removes the records of dead owners in the phase `counted`, and the orphaned ones of that phase.
  // Returns the sum of their counts.
  uint32_t ReapDead(uint32_t number, Phase counted, Phase orphaned) noexcept;

  // Marks a semaphore as known to processes that write no records.
  void Expose(uint32_t number) noexcept;
  bool IsExposed(uint32_t number) noexcept;

  // The record of a queue's flags, by the number of one of its semaphores; nullptr if it has none.
  // The process that creates the queue makes it.
  Record* QueueFlags(uint32_t number, bool make) noexcept;
  // 0 once the record belongs to something else.
  static uint32_t Flags(const Record* record, uint32_t number) noexcept;
  static void AddFlags(Record* record, uint32_t number, uint32_t flags) noexcept;

  // To be called when the semaphore's name is gone. Its records go once no process has it open.
  void Close(uint32_t number) noexcept;

 private:
  struct Page;
  explicit HolderTable(Page* page);

  static constexpr uint32_t kMaxCount = 0xfff;

  static uint64_t Pack(uint32_t number, uint32_t tag, Phase phase, uint32_t count) noexcept {
    return uint64_t{number} << 32 | uint64_t{tag & 0xffff} << 16 |
           uint64_t{std::min(count, kMaxCount)} << 4 | static_cast<uint64_t>(phase);
  }

  template <typename Visit>
  void ForEach(uint32_t number, Visit visit) noexcept;
  static bool IsDead(const Record& record) noexcept;
  Record* AddMark(uint32_t number, Phase phase) noexcept;
  Record* FindMark(uint32_t number, Phase phase) noexcept;
  bool HasMark(uint32_t number, Phase phase) noexcept { return FindMark(number, phase) != nullptr; }
  void ForgetIfUnused(uint32_t number) noexcept;

  Page* page_;
  std::unique_ptr<GuardedMapping> mapping_;
};

}  // namespace mp
