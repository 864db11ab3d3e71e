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

  // Items that a dead consumer had got and not finished are counted by this number in the table.
  void set_unfinished_number(uint32_t number) noexcept { unfinished_number_ = number; }

  // As Check(), but seldom.
  void CheckSeldom() noexcept;
  // Posts the slots that are missing, and counts the items of dead processes as lost. Does nothing
  // while members are at work, or a member keeps no records. Any thread.
  void Check() noexcept;

 private:
  void CheckWithLocks(int fd) noexcept;
  void CheckUnfinished() noexcept;

  StreamResources stream_;
  TrackedSemaphore& slots_;
  int64_t most_;
  std::weak_ptr<Endpoint> pipe_;
  uint32_t unfinished_number_ = 0;
  Deadline::Clock::time_point checked_{};  // By CheckSeldom().
};

}  // namespace mp
