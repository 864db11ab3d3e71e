// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
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
};

// Whether the CPUs have other work than this process and its peers, as the yields of the process
// show. Beside such work a yield lasts a whole slice of it, which is longer than a hundred messages
// take, while a wait that sleeps gets its CPU back at once. All waits of a process share what one
// of them has lost, and sleep for a multiple of that time.
//
// The threads of V8 itself take a CPU for a slice from time to time, between many waits that
// polling meets. So the first pause is short, and a pause is twice as long as the last one when
// polling has met few waits in between: then at most one slice is lost per kLongestPause.
class OtherWork {
 public:
  using Clock = Deadline::Clock;

  // Whether waits sleep at once.
  bool Takes() noexcept {
    int64_t until = until_.load(std::memory_order_relaxed);
    if (until == 0) return false;
    if (Ns(Clock::now().time_since_epoch()) < until) return true;
    // From here on no call reads the clock for it.
    until_.compare_exchange_strong(until, 0, std::memory_order_relaxed);
    return false;
  }

  void Took(Clock::time_point now, Clock::duration lost) noexcept {
    const int64_t first = kFirstPause * Ns(lost);
    const bool again = met_.load(std::memory_order_relaxed) < kManyMet;
    const int64_t twice = again ? 2 * pause_.load(std::memory_order_relaxed) : 0;
    const int64_t pause = std::min(std::max(first, twice), Ns(kLongestPause));
    met_.store(0, std::memory_order_relaxed);
    pause_.store(pause, std::memory_order_relaxed);
    until_.store(Ns(now.time_since_epoch()) + pause, std::memory_order_relaxed);
  }

  // Polling has met a wait. Threads may lose a count to each other, which does no harm.
  void Met() noexcept {
    met_.store(met_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

 private:
  static int64_t Ns(std::chrono::nanoseconds time) noexcept { return time.count(); }

  static constexpr int64_t kFirstPause = 2;  // Times what was lost.
  static constexpr uint32_t kManyMet = 32;
  static constexpr std::chrono::milliseconds kLongestPause{250};

  std::atomic<int64_t> until_{0};
  std::atomic<int64_t> pause_{0};
  std::atomic<uint32_t> met_{0};
};

inline OtherWork other_work;

// Retries for a short time before a wait goes to sleep. A peer that answers within microseconds is
// then met without a sleep, which on most machines costs far more than the answer took. After each
// failure the next retrying is half as long. One wait in kFullEvery retries for the whole time, so
// that a peer that has become faster is noticed.
class Spinner {
 public:
  Spinner(int64_t max_ns, SpinHistory* history, OtherWork* others = &other_work) noexcept
      : max_ns_(max_ns), history_(history), others_(others) {
    if (history_->ns < 0 || history_->ns > max_ns_) history_->ns = max_ns_;
  }

  // Asked before each wait. No wait of which this is false is told to Failed() or Slept().
  bool enabled() const noexcept { return max_ns_ > 0 && !others_->Takes(); }

  // Retries until `attempt` no longer returns -EAGAIN, the time is used up or the deadline passes.
  // -ECANCELED from it also ends the retrying, which then has not succeeded.
  template <typename Attempt>
  int64_t Spin(const Deadline& deadline, Attempt attempt) {
    start_ = Deadline::Clock::now();
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
      // The peer may have used the CPU meanwhile, too: then a sleep would have ended no later.
      if (now - before > kSlice) others_->Took(now, now - before);
      if (result != -EAGAIN) {
        *history_ = {max_ns_, 0};
        others_->Met();
        return result;
      }
      if (now - before > kSlowYield) return -EAGAIN;
      before = now;
    }
    return -EAGAIN;
  }

  // The retrying was in vain.
  void Failed() noexcept {
    history_->fruitless++;
    const int64_t half = history_->ns < 2 * kShortestNs ? 0 : history_->ns / 2;
    history_->ns = history_->fruitless % kFullEvery == 0 ? max_ns_ : half;
  }

  // What is waited for came during the sleep that followed. For a short sleep, retrying for longer
  // would have been better, unless it has failed too often.
  void Slept() noexcept {
    const auto waited = Deadline::Clock::now() - start_;
    Failed();
    const bool short_sleep = waited < std::chrono::nanoseconds(2 * max_ns_);
    if (short_sleep && history_->fruitless < kMaxFruitless) history_->ns = max_ns_;
  }

 private:
  // A shorter time is not worth reading the clock for.
  static constexpr int64_t kShortestNs = 1000;
  static constexpr uint32_t kMaxFruitless = 8;
  static constexpr uint32_t kFullEvery = 32;
  static constexpr std::chrono::microseconds kSlowYield{20};
  static constexpr std::chrono::milliseconds kSlice{1};

  int64_t max_ns_;
  SpinHistory* history_;
  OtherWork* others_;
  Deadline::Clock::time_point start_{};
};

}  // namespace mp
