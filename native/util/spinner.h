// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

#include "util/deadline.h"

namespace mp {

// What earlier waits at the same place have taught.
struct SpinHistory {
  int64_t ns = -1;         // How long to retry next; -1 at first, for as long as is allowed.
  uint32_t fruitless = 0;  // How many waits it is since retrying has paid off.
};

// How long it is worth while to retry before sleeping. A peer that answers within microseconds is
// met without the cost of a sleep, which on most machines is far more than the answer took. Each
// time nothing comes of it the next one is half as long. So that a peer is found that has become
// faster, one wait in kAgain retries for the whole time.
class Spinner {
 public:
  Spinner(int64_t max_ns, SpinHistory* history) noexcept : max_ns_(max_ns), history_(history) {
    if (history_->ns < 0 || history_->ns > max_ns_) history_->ns = max_ns_;
  }

  bool enabled() const noexcept { return max_ns_ > 0; }

  // Retries until `attempt` no longer returns -EAGAIN, the time is used up or the deadline passes.
  // -ECANCELED from it ends the retrying too, without having met what is waited for.
  template <typename Attempt>
  int64_t Spin(const Deadline& deadline, Attempt attempt) {
    start_ = Deadline::Clock::now();
    std::chrono::nanoseconds longest(history_->ns);
    if (!deadline.never()) longest = std::min(longest, deadline.Left());
    const auto until = start_ + longest;
    while (Deadline::Clock::now() < until) {
      // On a busy machine the peer may be waiting for this very CPU.
      std::this_thread::yield();
      const int64_t result = attempt();
      if (result == -ECANCELED) return result;
      if (result != -EAGAIN) {
        *history_ = {max_ns_, 0};
        return result;
      }
    }
    return -EAGAIN;
  }

  // Nothing came of it.
  void Failed() noexcept {
    history_->fruitless++;
    const int64_t half = history_->ns < 2 * kShortestNs ? 0 : history_->ns / 2;
    history_->ns = history_->fruitless % kAgain == 0 ? max_ns_ : half;
  }

  // What was waited for came in the sleep that followed. A short one would have been worth retrying
  // for, unless that was tried often enough.
  void Slept() noexcept {
    const auto waited = Deadline::Clock::now() - start_;
    Failed();
    const bool short_sleep = waited < std::chrono::nanoseconds(2 * max_ns_);
    if (short_sleep && history_->fruitless < kPatience) history_->ns = max_ns_;
  }

 private:
  // Less than this is not worth the look at the clock.
  static constexpr int64_t kShortestNs = 1000;
  static constexpr uint32_t kPatience = 8;
  static constexpr uint32_t kAgain = 32;

  int64_t max_ns_;
  SpinHistory* history_;
  Deadline::Clock::time_point start_{};
};

}  // namespace mp
