// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "os/unique_fd.h"

namespace mp {

enum Interest : uint32_t { kRead = 1, kWrite = 2 };

struct Event {
  uint64_t id;
  uint32_t interest;  // What may be tried now: both after an error or a hang-up.
};

// A set of descriptors. Level-triggered: a descriptor is reported for as long as it is ready and in
// the set, so the owner removes it when no operation needs it. Leaving it in while the next message
// is expected saves a system call per message. epoll on Linux, kqueue on macOS.
class EventSet {
 public:
  // All return >= 0 or -errno. -EPERM: this kind of file is always ready and cannot be watched.
  int Open() noexcept;
  void Close() noexcept { set_.Reset(); }
  int Arm(int fd, uint64_t id, uint32_t interest, bool known) noexcept;
  // Only for a descriptor that is in the set. Must precede its closing: otherwise a copy of it
  // would keep it in the set.
  void Remove(int fd) noexcept;
  // Stores at most `max` descriptors that are ready now, without waiting. Returns how many.
  int Collect(Event* events, int max) noexcept;

  int fd() const noexcept { return set_.get(); }

  // How many descriptors are in the set.
  int size() const noexcept { return size_; }

 private:
  UniqueFd set_;
  int size_ = 0;
};

}  // namespace mp
