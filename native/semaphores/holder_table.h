// SPDX-License-Identifier: MIT
//
// Who holds which lock, and who waits on which condition, in a page that every Node member of a
// family maps. A semaphore itself does not know, so this is how the death of a holder is noticed.
// Records are written after acquiring and cleared before posting: a process that is killed within
// the few instructions between leaves no trace, or one that nobody misses.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace mp {

enum class Phase : uint32_t {
  kIdle = 0,     // The record is kept for its owner's next use.
  kHolding = 1,  // The owner holds the lock.
  kWaiting = 2,  // So many of the owner's calls sleep on the condition.
  kOrphan = 3,   // Of a thread that ended while it held the lock; its process may live on.
  kLost = 4,     // The same for waiting calls.
  kExposed = 5,  // The name was given to somebody who writes no records.
  kClosed = 6,   // The name is gone; so is the rest, once nobody has the semaphore open.
  kMoving = 7,   // The owner holds a queue's lock, and may have moved a part of a message.
  kTorn = 8,     // Of a thread that ended so.
  kTaken = 9,    // So many of a queue's free places were taken by the owner for items on their way.
  kLeft = 10,    // Of a thread that ended so.
  kQueue = 11,  // What has become of a queue; the count is a set of flags, of all members together.
};

class HolderTable {
 public:
  // One record. Its owner alone writes it, except for others that clear or reap it.
  struct Slot {
    // Semaphore number, tag, count and phase; 0 for a free slot.
    std::atomic<uint64_t> state;
    std::atomic<uint64_t> start;  // When the owning process started, in clock ticks since boot.
    std::atomic<uint64_t> space;  // The inode of its pid namespace.
    std::atomic<uint32_t> pid;
    // Of this claim: a slot that was given up and claimed again is not mistaken for what it was.
    std::atomic<uint32_t> tag;
  };

  // What was found of a dead holder.
  struct Dead {
    Slot* slot = nullptr;
    uint64_t state = 0;
    uint32_t pid = 0;
    bool moving = false;
  };

  // Maps the table at `path`, made if `create`. 0 or -errno (ENOSPC when the page cannot be had).
  static int Open(const std::string& path, bool create, std::shared_ptr<HolderTable>* out);
  ~HolderTable();
  HolderTable(const HolderTable&) = delete;
  HolderTable& operator=(const HolderTable&) = delete;

  // A number that no other semaphore of the family has had; from 1.
  uint32_t NextNumber() noexcept;

  // A record for a semaphore, or nullptr if all are in use. Abandon() must follow.
  Slot* Claim(uint32_t number) noexcept;

  // A phase with a count, which is 1 for a holder.
  static void Set(Slot* slot, uint32_t number, Phase phase, uint32_t count) noexcept {
    const uint32_t tag = slot->tag.load(std::memory_order_relaxed);
    slot->state.store(Pack(number, tag, phase, count), std::memory_order_release);
  }
  static uint32_t Count(const Slot* slot, Phase phase) noexcept;
  // Whether the owner of the record holds the lock, in whatever phase.
  static bool Holds(const Slot* slot) noexcept {
    return Count(slot, Phase::kHolding) > 0 || Count(slot, Phase::kMoving) > 0;
  }
  // Counts up or down, for records that several threads of the owner count in.
  static void Add(Slot* slot, uint32_t number, Phase phase, int change) noexcept;
  // Gives a record up. What its owner holds or waits for stays visible, as an orphan's.
  void Abandon(Slot* slot) noexcept;

  // Clears the record of whoever holds the semaphore, for one who posts on the holder's behalf.
  void ClearHolder(uint32_t number) noexcept;

  // Without a slot if there is none.
  Dead FindDeadHolder(uint32_t number) noexcept;
  // Whether somebody who is alive, or might be, holds the semaphore.
  bool HasLiveHolder(uint32_t number) noexcept;
  // Takes the record away; true for the one caller that may post what its owner held.
  static bool Reap(Dead dead) noexcept {
    return dead.slot != nullptr && dead.slot->state.compare_exchange_strong(dead.state, 0);
  }
  // Takes away what the dead have counted in this phase, and in that which is left of it when a
  // thread ends, and returns how much that was.
  uint32_t ReapDead(uint32_t number, Phase counted, Phase left) noexcept;

  // Remembers that a semaphore's name was given to somebody who writes no records.
  void Expose(uint32_t number) noexcept;
  bool IsExposed(uint32_t number) noexcept;
  // The place of a queue's flags, by the number of one of its semaphores; nullptr if it has none.
  // The first process makes it.
  Slot* QueueFlags(uint32_t number, bool make) noexcept;
  // 0 once the place belongs to something else.
  static uint32_t Flags(const Slot* slot, uint32_t number) noexcept;
  static void AddFlags(Slot* slot, uint32_t number, uint32_t flags) noexcept;

  // The semaphore's name is gone: what is recorded of it goes with the last who has it open.
  void Close(uint32_t number) noexcept;

 private:
  struct Page;
  explicit HolderTable(Page* page) noexcept : page_(page) {}

  static constexpr uint32_t kMostCounted = 0xfff;

  static uint64_t Pack(uint32_t number, uint32_t tag, Phase phase, uint32_t count) noexcept {
    return uint64_t{number} << 32 | uint64_t{tag & 0xffff} << 16 |
           uint64_t{std::min(count, kMostCounted)} << 4 | static_cast<uint64_t>(phase);
  }

  template <typename Visit>
  void ForEach(uint32_t number, Visit visit) noexcept;
  static bool IsDead(const Slot& slot) noexcept;
  Slot* AddMark(uint32_t number, Phase phase) noexcept;
  Slot* FindMark(uint32_t number, Phase phase) noexcept;
  bool HasMark(uint32_t number, Phase phase) noexcept { return FindMark(number, phase) != nullptr; }
  void ForgetIfUnused(uint32_t number) noexcept;

  Page* page_;
};

}  // namespace mp
