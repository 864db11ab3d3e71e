// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "os/wake.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

// The results of what an environment has asked of other threads: waiting for a semaphore, or until
// a queue's items are written. The descriptor is readable while there are results.
class CompletionQueue {
 public:
  static constexpr int32_t kNotified = 1;

  struct Completion {
    int32_t request = 0;
    int32_t status = 0;
    // If the status is 0, a value was taken from this semaphore; if it is kNotified, a notification
    // that was left for its waiters. Either is given back if the request was withdrawn.
    std::shared_ptr<TrackedSemaphore> semaphore;
  };

  // 0 or -errno.
  int Open() noexcept { return wake_.Open(); }
  int fd() const noexcept { return wake_.fd(); }

  void Push(Completion&& completion) {
    const std::lock_guard lock(mutex_);
    if (completions_.empty()) wake_.Signal();
    completions_.push_back(std::move(completion));
  }

  // Removes at most `max` completions, in their order.
  std::vector<Completion> Dequeue(size_t max) {
    const std::lock_guard lock(mutex_);
    const auto end =
        completions_.begin() + static_cast<std::ptrdiff_t>(std::min(max, completions_.size()));
    std::vector<Completion> dequeued(std::make_move_iterator(completions_.begin()),
                                     std::make_move_iterator(end));
    completions_.erase(completions_.begin(), end);
    if (completions_.empty()) wake_.Clear();
    return dequeued;
  }

  // Withdraws requests that are completed but whose completion was not dequeued. Values that they
  // took are posted again.
  template <typename IsWithdrawn>
  void Withdraw(IsWithdrawn is_withdrawn) {
    const std::lock_guard lock(mutex_);
    std::erase_if(completions_, [&](const Completion& each) {
      if (!is_withdrawn(each.request)) return false;
      if (each.semaphore == nullptr) return true;
      if (each.status == 0) each.semaphore->Release(TrackedSemaphore::kNoLimit);
      if (each.status == kNotified) each.semaphore->LeaveNotifications(1);
      return true;
    });
  }

 private:
  std::mutex mutex_;
  std::vector<Completion> completions_;
  Wake wake_;
};

}  // namespace mp
