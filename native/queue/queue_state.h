// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "io/endpoint.h"
#include "semaphores/holder_table.h"

namespace mp {

// What all Node members of a queue have to know of it: that it was shut down, or that it is broken.
// The flags are in the family's table, so that asking costs one load; the level is a pipe that has
// something to read from the first flag on, for those who wait. Either may be missing: a queue that
// Python made has neither, and then the flags are this process' own. Any thread.
class QueueState {
 public:
  enum Flag : uint32_t {
    kIsShutDown = 1,  // Nothing can be put any more; what is there can still be got.
    kDropped = 2,     // What is there cannot be got either.
    kBroken = 4,      // Nobody can tell where the next message begins.
  };

  struct Level {
    std::shared_ptr<Endpoint> reader;
    std::shared_ptr<Endpoint> writer;
  };

  // `number` is that of the semaphore by which the flags are found.
  QueueState(std::shared_ptr<HolderTable> table, uint32_t number, bool make, Level level) noexcept
      : table_(std::move(table)), number_(number), level_(std::move(level)) {
    if (table_) slot_ = table_->QueueFlags(number, make);
  }

  uint32_t Flags() noexcept;
  // Adds flags, and wakes those who wait.
  void Add(uint32_t flags) noexcept;

 private:
  bool IsLevelUp() const noexcept;

  std::shared_ptr<HolderTable> table_;
  HolderTable::Slot* slot_ = nullptr;
  uint32_t number_;
  Level level_;
  std::atomic<uint32_t> own_{0};
};

}  // namespace mp
