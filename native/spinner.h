// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

#include "deadline.h"

namespace mp {

// How long it is worth while to retry before sleeping. A peer that answers within microseconds is
// met without the cost of a sleep, which on most machines is far more than the answer took.
class Spinner {
 public:
  // `learned_ns` is what earlier waits on the same endpoint found: -1 at first.
  Spinner(int64_t max_ns, int64_t* learned_ns) noexcept : max_ns_(max_ns), learned_ns_(learned_ns) {
    if (*learned_ns_ < 0 || *learned_ns_ > max_ns_) *learned_ns_ = max_ns_;
  }

  bool enabled() const noexcept { return max_ns_ > 0; }

  // Retries until `attempt` no longer returns -EAGAIN, the time is used up or the deadline passes.
  template <typename Attempt>
  int64_t Spin(const Deadline& deadline, Attempt attempt) {
    start_ = Deadline::Clock::now();
    std::chrono::nanoseconds longest(*learned_ns_);
    if (!deadline.never()) longest = std::min(longest, deadline.Left());
    const auto until = start_ + longest;
    while (Deadline::Clock::now() < until) {
      // On a busy machine the peer may be waiting for this very CPU.
      std::this_thread::yield();
      const int64_t result = attempt();
      if (result != -EAGAIN) {
        *learned_ns_ = max_ns_;
        return result;
      }
    }
    return -EAGAIN;
  }

  // After the sleep that followed: a short one would have been worth spinning for.
  void Slept() noexcept {
    const auto waited = Deadline::Clock::now() - start_;
    const bool worth_while = waited < std::chrono::nanoseconds(2 * max_ns_);
    *learned_ns_ = worth_while ? max_ns_ : *learned_ns_ / 2;
  }

 private:
  int64_t max_ns_;
  int64_t* learned_ns_;
  Deadline::Clock::time_point start_{};
};

}  // namespace mp
