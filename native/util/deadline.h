// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace mp {

// A point on the monotonic clock, or never.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  // From a timeout in milliseconds as JavaScript gives it. Fractions count. Zero and less is now.
  // What would overflow the clock, such as Infinity, is never.
  static Deadline After(double milliseconds) noexcept {
    constexpr double kLongest = 9e15 / 1e6;  // About 104 days in nanoseconds.
    Deadline deadline;
    if (!(milliseconds < kLongest)) return deadline;
    const double ns = milliseconds > 0 ? std::ceil(milliseconds * 1e6) : 0;
    deadline.never_ = false;
    deadline.at_ = Clock::now() + std::chrono::nanoseconds(static_cast<int64_t>(ns));
    return deadline;
  }

  bool never() const noexcept { return never_; }

  // The time that is left, at least zero. Not for a deadline that never comes.
  std::chrono::nanoseconds Left() const noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(at_ - Clock::now());
    return left.count() > 0 ? left : std::chrono::nanoseconds(0);
  }

 private:
  bool never_ = true;
  Clock::time_point at_{};
};

}  // namespace mp
