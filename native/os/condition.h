// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "os/platform.h"

namespace mp {

// A condition variable whose times are those of the monotonic clock. std::condition_variable would
// need a function that is newer than glibc 2.28, and pthread_cond_timedwait() would be that of
// glibc 2.2.5 in an addon, which knows no clock but the wall clock. Unlike Wake it takes no
// descriptor, so a thread that waits here can be started and woken in a process that has none left.
class Condition {
 public:
  Condition() noexcept = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

#ifdef __APPLE__
  ~Condition() { ::pthread_cond_destroy(&condition_); }

  // Releases `mutex`, which the caller holds, during the wait. False when the time was up. May
  // return true without a signal.
  bool WaitFor(std::mutex& mutex, std::chrono::nanoseconds time) noexcept {
    constexpr long kSecond = 1'000'000'000;
    const timespec left{static_cast<time_t>(time.count() / kSecond),
                        static_cast<long>(time.count() % kSecond)};
    return ::pthread_cond_timedwait_relative_np(&condition_, mutex.native_handle(), &left) == 0;
  }

  void Signal() noexcept { ::pthread_cond_signal(&condition_); }

 private:
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
#else
  bool WaitFor(std::mutex& mutex, std::chrono::nanoseconds time) noexcept {
    const auto until = std::chrono::steady_clock::now() + time;
    waiters_.fetch_add(1);
    const uint32_t seen = signals_.load();
    mutex.unlock();
    platform::SleepOnWord(&signals_, seen, time.count());
    mutex.lock();
    waiters_.fetch_sub(1);
    return signals_.load() != seen || std::chrono::steady_clock::now() < until;
  }

  // A signal after the mutex was released ends the wait, too: it has changed the word that the
  // kernel compares.
  void Signal() noexcept {
    signals_.fetch_add(1);
    if (waiters_.load() > 0) platform::WakeOne(&signals_, true);
  }

 private:
  std::atomic<uint32_t> signals_ = 0;
  std::atomic<uint32_t> waiters_ = 0;
#endif
};

}  // namespace mp
