// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "os/unique_fd.h"

namespace mp {

enum Interest : uint32_t { kRead = 1, kWrite = 2 };

struct Event {
  uint64_t id;
  uint32_t interest;  // What may be tried now; both after an error or a hang-up.
};

// A set of descriptors. Level-triggered: a descriptor reports for as long as it is ready and in the
// set, so whoever finds that nobody wants what it reports takes it out. Leaving it in while the
// next message is expected saves a system call per message. epoll on Linux, kqueue on macOS.
class EventSet {
 public:
  // All return >= 0 or -errno. -EPERM: this kind of file is always ready and cannot be watched.
  int Open() noexcept;
  void Close() noexcept { set_.Reset(); }
  int Arm(int fd, uint64_t id, uint32_t interest, bool known) noexcept;
  // Only for a descriptor that is in the set. Must precede its closing: a copy elsewhere would keep
  // it reporting.
  void Remove(int fd) noexcept;
  // Takes what is ready now, without waiting.
  int Take(Event* events, int most) noexcept;

  int fd() const noexcept { return set_.get(); }

  // How many descriptors are in it.
  int size() const noexcept { return size_; }

 private:
  UniqueFd set_;
  int size_ = 0;
};

}  // namespace mp
