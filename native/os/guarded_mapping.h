// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mp {

// Guards the mapping of a file that any process of this user can truncate. An access to a part
// that is gone raises SIGBUS, which ends the process. While a guard of the mapping exists, a
// signal handler puts zeros in its place instead, and the access goes on with these: nothing is
// shared from then on, and IsIntact() is false. So an operation on shared memory asks after its
// accesses. A SIGBUS of any other address goes to the handler that was there before.
class GuardedMapping {
 public:
  // The pages that contain these bytes. They must stay mapped for as long as the guard exists.
  GuardedMapping(void* address, size_t size);
  ~GuardedMapping();
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;

  bool IsIntact() const noexcept { return !range_->replaced.load(std::memory_order_relaxed); }

  // What the signal handler reads. It is never freed, since a handler of any thread may be at it.
  struct Range {
    std::atomic<uintptr_t> begin{0};
    std::atomic<size_t> size{0};  // 0 for a range that is not in use.
    std::atomic<bool> replaced{false};
    Range* next = nullptr;
  };

 private:
  Range* range_;
};

}  // namespace mp
