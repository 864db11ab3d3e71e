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

// What has become of an environment's requests to other threads, for semaphores first of all. The
// descriptor is readable while something is there to take.
class CompletionQueue {
 public:
  struct Completion {
    int32_t request = 0;
    int32_t status = 0;
    // If the status is 0, a value was taken from this semaphore, to be given back if unwanted.
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

  // At most so many, in their order.
  std::vector<Completion> Take(size_t most) {
    const std::lock_guard lock(mutex_);
    const auto end =
        completions_.begin() + static_cast<std::ptrdiff_t>(std::min(most, completions_.size()));
    std::vector<Completion> taken(std::make_move_iterator(completions_.begin()),
                                  std::make_move_iterator(end));
    completions_.erase(completions_.begin(), end);
    if (completions_.empty()) wake_.Clear();
    return taken;
  }

  // Gives back what the requests have got that nobody has taken notice of.
  template <typename Wanted>
  void Undo(Wanted wanted) {
    const std::lock_guard lock(mutex_);
    std::erase_if(completions_, [&](const Completion& each) {
      if (!wanted(each.request)) return false;
      if (each.status == 0 && each.semaphore) each.semaphore->Release(TrackedSemaphore::kNoLimit);
      return true;
    });
  }

 private:
  std::mutex mutex_;
  std::vector<Completion> completions_;
  Wake wake_;
};

}  // namespace mp
