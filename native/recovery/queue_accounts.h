// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "io/endpoint.h"
#include "recovery/stream_repair.h"
#include "semaphores/tracked_semaphore.h"
#include "util/deadline.h"

namespace mp {

// Whether the slots and the items of a queue add up. A slot is free, or belongs to an item in the
// pipe, or a living process counts it for an item on its way there. An unfinished item is in the
// pipe, or a living process counts it. What is missing, dead processes have taken with them.
class QueueAccounts {
 public:
  // `slots` is null if the queue has no limit, which is `most`.
  QueueAccounts(StreamResources stream, TrackedSemaphore* slots, int64_t most,
                std::weak_ptr<Endpoint> pipe) noexcept;

  // Of a JoinableQueue: the number of the semaphore of unfinished items. By this number members
  // count what they have got and not finished.
  void set_unfinished_number(uint32_t number) noexcept { unfinished_number_ = number; }

  // As Check(), but seldom.
  void CheckSeldom() noexcept;
  // Posts the slots that are missing, and counts the items of dead processes as lost. Does nothing
  // while members are at work, or a member keeps no records. Any thread.
  void Check() noexcept;

 private:
  void CheckWithLocks(int fd) noexcept;
  void CheckItems() noexcept;
  // Adds the records of what was left to a number of the stream record, so that the table does not
  // fill up. A process that dies meanwhile has written down which record it was adding.
  void FoldLeft() noexcept;
  void CheckSlots() noexcept;
  // What is unfinished by the records; less than 0 if they say nothing at this moment.
  int64_t SumUnfinished(uint64_t* seal) noexcept;

  StreamResources stream_;
  TrackedSemaphore* const slots_;
  const int64_t most_;
  const std::weak_ptr<Endpoint> pipe_;
  const uint32_t accepted_number_;
  uint32_t unfinished_number_ = 0;
  Deadline::Clock::time_point checked_{};  // By CheckSeldom().
};

}  // namespace mp
