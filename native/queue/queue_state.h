// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "io/endpoint.h"
#include "semaphores/holder_table.h"

namespace mp {

// A pipe that becomes readable, for good, when the state of a queue changes for the first time. For
// members that wait. Both ends are null for a queue that Python made.
struct StatePipe {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;
};

// The state that all Node members of a queue share: that it was shut down, or that it is broken.
// The flags are in the family's table, so that reading them costs one load. A queue that Python
// made has no record there, and then the flags are those of this process. Any thread.
class QueueState {
 public:
  enum Flag : uint32_t {
    kIsShutDown = 1,  // Nothing can be put any more. Items in the pipe can still be got.
    kDropped = 2,     // Items in the pipe cannot be got either.
    kBroken = 4,      // No member can tell where the next message begins.
  };

  // `number` is that of the semaphore by which the record of the flags is found.
  QueueState(std::shared_ptr<HolderTable> table, uint32_t number, bool make,
             StatePipe pipe) noexcept
      : table_(std::move(table)), number_(number), pipe_(std::move(pipe)) {
    if (table_) record_ = table_->QueueFlags(number, make);
  }

  uint32_t Flags() noexcept;
  // Adds flags, and wakes the members that wait.
  void Add(uint32_t flags) noexcept;

 private:
  bool IsPipeReadable() const noexcept;

  std::shared_ptr<HolderTable> table_;
  HolderTable::Record* record_ = nullptr;
  uint32_t number_;
  StatePipe pipe_;
  std::atomic<uint32_t> own_{0};  // The flags that this process knows of.
};

}  // namespace mp
