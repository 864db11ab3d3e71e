// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "recovery/stream_record.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

// What a queue's members share for its pipe, of one environment. Null parts: see QueueResources.
struct StreamResources {
  std::shared_ptr<StreamRecord> record;  // Null for a queue that Python made.
  std::shared_ptr<TrackedSemaphore> rlock;
  std::shared_ptr<TrackedSemaphore> wlock;
  std::shared_ptr<TrackedSemaphore> unfinished;  // Null as well for those that finish nothing.
  // Then lost items are counted with the unfinished ones: see QueueAccounts.
  bool is_joinable = false;
  uint32_t slots_number = 0;  // 0 for a queue without a limit.

  // By this number members count what they have accepted and not written to the pipe. No semaphore
  // has such a number.
  static uint32_t AcceptedNumber(uint32_t wlock_number) noexcept {
    return wlock_number | uint32_t{1} << 31;
  }
};

// With `wlock`: a writer that has died while it noted items, or took them back, says in its record
// that it did so, and in the stream record how many. They count as accepted again if they are not
// noted. Repairs begin with this.
void SettleNoting(const StreamResources& stream) noexcept;

// Sets the numbers of a stream record right after the death of a member. The caller holds the lock
// of the side that it asks for, and `fd` is an end of the pipe. 0; -EAGAIN when a living process is
// in the middle of a call that moves bytes, so that it is undecided yet; kQueueBroken when the
// numbers do not fit the pipe: a process has moved bytes that does not keep the record.
int RepairWriter(const StreamResources& stream, int fd) noexcept;
int RepairReader(const StreamResources& stream, int fd) noexcept;
// Both sides. The caller holds both locks, so nothing changes meanwhile, and it is never undecided.
int RepairBoth(const StreamResources& stream, int fd) noexcept;

// Looks after the side that the caller does not use, if its lock is free, or its holder dead.
int RepairOtherWriter(const StreamResources& stream, int fd) noexcept;

// `items` that were put can no longer be got.
void CountLost(const StreamResources& stream, uint64_t items) noexcept;
// So many of these count as unfinished. They do not from now on.
void FinishLost(const StreamResources& stream, uint64_t items) noexcept;

}  // namespace mp
