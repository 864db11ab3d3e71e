// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

#include "util/deadline.h"

namespace mp {

// What earlier waits for the same thing have shown.
struct SpinHistory {
  int64_t ns = -1;         // How long to retry next time. -1 at first: for as long as is allowed.
  uint32_t fruitless = 0;  // How many waits in a row were not met by retrying.
  uint32_t pause = 0;      // How many waits go to sleep at once after a busy machine was noticed,
  uint32_t paused = 0;     // and how many of them are still to come.
};

// Retries for a short time before a wait goes to sleep. A peer that answers within microseconds is
// then met without a sleep, which on most machines costs far more than the answer took. After each
// failure the next retrying is half as long. One wait in kFullEvery retries for the whole time, so
// that a peer that has become faster is noticed.
//
// A yield that comes back late has given the CPU to other work: the machine is busy, and retrying
// takes time from that work, which may be the peer's. Then the next waits sleep at once, twice as
// many each time in a row.
class Spinner {
 public:
  Spinner(int64_t max_ns, SpinHistory* history) noexcept : max_ns_(max_ns), history_(history) {
    if (history_->ns < 0 || history_->ns > max_ns_) history_->ns = max_ns_;
  }

  bool enabled() const noexcept { return max_ns_ > 0; }

  // Retries until `attempt` no longer returns -EAGAIN, the time is used up or the deadline passes.
  // -ECANCELED from it also ends the retrying, which then has not succeeded.
  template <typename Attempt>
  int64_t Spin(const Deadline& deadline, Attempt attempt) {
    start_ = Deadline::Clock::now();
    skipped_ = history_->paused > 0;
    if (skipped_) {
      history_->paused--;
      return -EAGAIN;
    }
    std::chrono::nanoseconds longest(history_->ns);
    if (!deadline.never()) longest = std::min(longest, deadline.Left());
    const auto until = start_ + longest;
    auto before = start_;
    while (before < until) {
      // On a busy machine the peer may be waiting for this very CPU.
      std::this_thread::yield();
      const int64_t result = attempt();
      if (result == -ECANCELED) return result;
      const auto now = Deadline::Clock::now();
      if (result != -EAGAIN) {
        // What came while other work had the CPU for a whole slice would have ended a sleep sooner.
        if (now - before > kLostSlice)
          Pause();
        else
          *history_ = {max_ns_, 0, 0, 0};
        return result;
      }
      if (now - before > kSlowYield) {
        Pause();
        return -EAGAIN;
      }
      before = now;
    }
    return -EAGAIN;
  }

  // The retrying was in vain.
  void Failed() noexcept {
    if (skipped_) return;
    history_->fruitless++;
    const int64_t half = history_->ns < 2 * kShortestNs ? 0 : history_->ns / 2;
    history_->ns = history_->fruitless % kFullEvery == 0 ? max_ns_ : half;
  }

  // What is waited for came during the sleep that followed. For a short sleep, retrying for longer
  // would have been better, unless it has failed too often.
  void Slept() noexcept {
    if (skipped_) return;
    const auto waited = Deadline::Clock::now() - start_;
    Failed();
    const bool short_sleep = waited < std::chrono::nanoseconds(2 * max_ns_);
    if (short_sleep && history_->fruitless < kMaxFruitless) history_->ns = max_ns_;
  }

 private:
  void Pause() noexcept {
    history_->pause = std::clamp(2 * history_->pause, kShortestPause, kLongestPause);
    history_->paused = history_->pause;
  }

  // A shorter time is not worth reading the clock for.
  static constexpr int64_t kShortestNs = 1000;
  static constexpr uint32_t kMaxFruitless = 8;
  static constexpr uint32_t kFullEvery = 32;
  static constexpr std::chrono::microseconds kSlowYield{20};
  static constexpr std::chrono::microseconds kLostSlice{500};
  static constexpr uint32_t kShortestPause = 4;
  static constexpr uint32_t kLongestPause = 256;

  int64_t max_ns_;
  SpinHistory* history_;
  bool skipped_ = false;
  Deadline::Clock::time_point start_{};
};

}  // namespace mp
