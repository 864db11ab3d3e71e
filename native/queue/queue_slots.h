// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "io/endpoint.h"
#include "queue/stream_repair.h"
#include "semaphores/tracked_semaphore.h"
#include "util/deadline.h"

namespace mp {

// Whether the slots of a queue add up. Each slot is free, or was taken for an item in the pipe, or
// by a living process for an item on its way there. What is missing, dead processes have taken with
// them.
class QueueSlots {
 public:
  QueueSlots(StreamResources stream, TrackedSemaphore& slots, int64_t most,
             std::weak_ptr<Endpoint> pipe) noexcept;

  // Of a JoinableQueue: the number of the semaphore of unfinished items. By this number members
  // count what they have got and not finished, and by AcceptedNumber() what they have accepted and
  // not written to the pipe.
  void set_unfinished_number(uint32_t number) noexcept { unfinished_number_ = number; }
  // No semaphore has such a number.
  static uint32_t AcceptedNumber(uint32_t unfinished_number) noexcept {
    return unfinished_number | uint32_t{1} << 31;
  }

  // As Check(), but seldom.
  void CheckSeldom() noexcept;
  // Posts the slots that are missing, and counts the items of dead processes as lost. Does nothing
  // while members are at work, or a member keeps no records. Any thread.
  void Check() noexcept;

 private:
  void CheckWithLocks(int fd) noexcept;
  // Whether all members count their unfinished items.
  bool CountsUnfinished() const noexcept;
  void CheckUnfinished() noexcept;
  // What is unfinished by the records; less than 0 if they say nothing at this moment.
  int64_t SumUnfinished(uint64_t* seal) noexcept;

  StreamResources stream_;
  TrackedSemaphore& slots_;
  int64_t most_;
  std::weak_ptr<Endpoint> pipe_;
  uint32_t unfinished_number_ = 0;
  Deadline::Clock::time_point checked_{};  // By CheckSeldom().
};

}  // namespace mp
