// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <chrono>
#include <ctime>
#include <mutex>

namespace mp {

// A condition variable whose times are those of the monotonic clock. std::condition_variable would
// need a function that is newer than glibc 2.28. Unlike Wake it takes no descriptor, so a thread
// that waits here can be started and woken in a process that has none left.
class Condition {
 public:
  Condition() noexcept {
#ifdef __APPLE__
    ::pthread_cond_init(&condition_, nullptr);
#else
    pthread_condattr_t attributes;
    ::pthread_condattr_init(&attributes);
    ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    ::pthread_cond_init(&condition_, &attributes);
    ::pthread_condattr_destroy(&attributes);
#endif
  }
  ~Condition() { ::pthread_cond_destroy(&condition_); }
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  // Releases `mutex`, which the caller holds, during the wait. False when the time was up. May
  // return true without a signal.
  bool WaitFor(std::mutex& mutex, std::chrono::nanoseconds time) noexcept {
    constexpr long kSecond = 1'000'000'000;
    timespec until{};
#ifdef __APPLE__
    until.tv_sec = static_cast<time_t>(time.count() / kSecond);
    until.tv_nsec = static_cast<long>(time.count() % kSecond);
    return ::pthread_cond_timedwait_relative_np(&condition_, mutex.native_handle(), &until) == 0;
#else
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const long long sum = until.tv_nsec + static_cast<long long>(time.count());
    until.tv_sec += static_cast<time_t>(sum / kSecond);
    until.tv_nsec = static_cast<long>(sum % kSecond);
    return ::pthread_cond_timedwait(&condition_, mutex.native_handle(), &until) == 0;
#endif
  }

  void Signal() noexcept { ::pthread_cond_signal(&condition_); }

 private:
  pthread_cond_t condition_;
};

}  // namespace mp
