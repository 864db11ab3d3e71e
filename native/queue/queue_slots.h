// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "io/endpoint.h"
#include "queue/stream_repair.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

// Whether the slots of a queue add up. Each slot is free, or was taken for an item in the pipe, or
// by a living process for an item on its way there. What is missing, dead processes have taken with
// them.
class QueueSlots {
 public:
  QueueSlots(StreamResources stream, TrackedSemaphore& slots, int64_t most,
             std::weak_ptr<Endpoint> pipe) noexcept;

  // Posts the slots that are missing, and counts the items of dead processes as lost. Does nothing
  // while members are at work, or a member keeps no records. Any thread.
  void Check() noexcept;

 private:
  void CheckWithLocks(int fd) noexcept;

  StreamResources stream_;
  TrackedSemaphore& slots_;
  int64_t most_;
  std::weak_ptr<Endpoint> pipe_;
};

}  // namespace mp
