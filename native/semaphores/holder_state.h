// SPDX-License-Identifier: MIT
//
// The word of a record of the holder table: phase, count or turn, tag, and the semaphore's number.
#pragma once

#include <algorithm>
#include <cstdint>

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
  kSleeping = 10,  // As kTaking, of a Python thread that sleeps until it gets the lock or the slot.
                   // The count tells how many sleeps were in vain; a wait has a tag of its own.
  kQueue = 11,     // The state of a queue. The count is a set of flags that all members share.
  kNotified = 11,  // The same number: no condition is a queue. Belongs to the waiter whose record
                   // has the same tag. The count is how many of its calls were notified and have
                   // not noticed it, since it is stopped.
  kLeft = 4,       // For what follows, no number is that of a lock or condition. The count is how
                   // many items the owner had got, which is gone, and others may still finish.
  kNoting = 13,    // As kReserved, of a writer that moves items from the count to the stream record
                   // or back, and that has said there how many. These are not in the count.
  kFilling = 12,   // A process has just claimed the record. Its owner is not written yet.
  kTaking = 13,    // The owner is about to try the lock, or has it and has not said so yet.
  kReleasing = 14,  // The owner is about to post the lock, or has posted it and not said so yet.
  kCounting = 15,   // As kReserved, while a slot is being taken or given back: the slot of the
                    // change counts already, and may not have been taken, or have been given back.

  // What remains of a record when its thread has ended; the process may live on.
  kOrphanedHolder = 3,   // Of kHolding.
  kOrphanedWaiters = 4,  // Of kWaiting.
  kOrphanedMover = 8,    // Of kMoving.
};

namespace holder_state {

inline constexpr uint32_t kMaxCount = 0xfff;
// A larger number of slots is recorded as this one, and then is none.
inline constexpr uint32_t kMostSlots = 0xfffff;

inline uint32_t NumberOf(uint64_t state) noexcept { return static_cast<uint32_t>(state >> 32); }
inline Phase PhaseIn(uint64_t state) noexcept { return static_cast<Phase>(state & 0xf); }
inline uint32_t CountOf(uint64_t state) noexcept {
  return static_cast<uint32_t>(state >> 4) & 0xfff;
}

inline uint32_t TagOf(uint64_t state) noexcept {
  return static_cast<uint32_t>(state >> 16) & 0xffff;
}

// In the records of slots, the count is wider, and the rest of its word changes with every change.
inline uint32_t SlotsOf(uint64_t state) noexcept {
  return static_cast<uint32_t>(state >> 4) & kMostSlots;
}
inline uint32_t SlotTurnOf(uint64_t state) noexcept {
  return static_cast<uint32_t>(state >> 24) & 0xff;
}

// What a record of this phase becomes when its owner's thread ends; kIdle if nothing remains.
inline Phase Orphaned(Phase phase) noexcept {
  switch (phase) {
    case Phase::kHolding:
      return Phase::kOrphanedHolder;
    case Phase::kMoving:
      return Phase::kOrphanedMover;
    case Phase::kWaiting:
      return Phase::kOrphanedWaiters;
    default:
      return Phase::kIdle;
  }
}

// Between two phases: the lock may be taken already, or posted.
inline bool IsBetween(Phase phase) noexcept {
  return phase == Phase::kTaking || phase == Phase::kSleeping || phase == Phase::kReleasing;
}

inline bool IsHolding(Phase phase) noexcept {
  return phase == Phase::kHolding || phase == Phase::kMoving;
}

inline bool IsOrphanedHolder(Phase phase) noexcept {
  return phase == Phase::kOrphanedHolder || phase == Phase::kOrphanedMover;
}

// Whether a process has claimed the record for its own use.
inline bool HasOwner(Phase phase) noexcept {
  return phase == Phase::kIdle || phase == Phase::kWaiting || phase == Phase::kReserved ||
         phase == Phase::kCounting || IsHolding(phase) || IsBetween(phase);
}

inline uint64_t Pack(uint32_t number, uint32_t tag, Phase phase, uint32_t count) noexcept {
  return uint64_t{number} << 32 | uint64_t{tag & 0xffff} << 16 |
         uint64_t{std::min(count, kMaxCount)} << 4 | static_cast<uint64_t>(phase);
}

inline uint64_t PackSlots(uint32_t number, uint32_t turn, Phase phase, uint32_t count) noexcept {
  return uint64_t{number} << 32 | uint64_t{turn & 0xff} << 24 |
         uint64_t{std::min(count, kMostSlots)} << 4 | static_cast<uint64_t>(phase);
}

}  // namespace holder_state

}  // namespace mp
