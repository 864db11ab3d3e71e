// SPDX-License-Identifier: MIT
//
// The tests of the waiter that hold for both of its methods. The method is decided once per
// process, so there are two programs.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "check.h"
#include "os/platform.h"
#include "semaphores.h"
#include "semaphores/completion_queue.h"
#include "semaphores/semaphore_waiter.h"
#include "util/status.h"

namespace mp::test {

inline std::shared_ptr<CompletionQueue> MakeQueue() {
  auto queue = std::make_shared<CompletionQueue>();
  Equal(queue->Open(), 0);
  return queue;
}

inline CompletionQueue::Completion Next(CompletionQueue& queue) {
  pollfd readable{queue.fd(), POLLIN, 0};
  Equal(::poll(&readable, 1, 60000), 1);
  auto taken = queue.Dequeue(1);
  Equal(taken.size(), 1u);
  return std::move(taken.front());
}

inline bool IsEmpty(CompletionQueue& queue) { return queue.Dequeue(1).empty(); }

// How many threads sleep on a semaphore; 0 where its layout is not known.
inline uint64_t SleepersOf(const TrackedSemaphore& semaphore) {
  if (platform::MaxSemaphoreWords() == 0) return 0;
  return platform::WordOf(semaphore.semaphore().get())->data.load() >> 32;
}

// The thread has to notice first that there is no request any more.
inline void ExpectNoSleepers(const TrackedSemaphore& semaphore) {
  for (int i = 0; i < 60000 && SleepersOf(semaphore) != 0; i++) ::usleep(1000);
  Equal(SleepersOf(semaphore), 0u);
}

// A waiter that can wait for many semaphores counts as a sleeper from the request on.
inline void ExpectSleepersWhileWaiting(uint64_t expected) {
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(0);
  Equal(SemaphoreWaiter::Start(semaphore, queue, 1), 0);
  Equal(SleepersOf(*semaphore), expected);
  Equal(semaphore->Release(TrackedSemaphore::kNoLimit), 0);
  Equal(Next(*queue).request, 1);
  SemaphoreWaiter::Stop();
}

inline const Test kInOrder("waiter: requests for one semaphore are served in their order", [] {
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(0);
  for (int32_t i = 1; i <= 5; i++) Equal(SemaphoreWaiter::Start(semaphore, queue, i), 0);
  for (int32_t i = 1; i <= 5; i++) {
    Equal(semaphore->Release(TrackedSemaphore::kNoLimit), 0);
    const auto completion = Next(*queue);
    Equal(completion.request, i);
    Equal(completion.status, 0);
  }
  Equal(semaphore->semaphore().Value(), 0);
  ExpectNoSleepers(*semaphore);
  SemaphoreWaiter::Stop();
});

#if defined(__linux__)
inline const Test kDamaged("waiter: a semaphore whose file is truncated ends the requests for it",
                           [] {
                             const auto queue = MakeQueue();
                             const std::string name = FreshName();
                             std::shared_ptr<NamedSemaphore> named;
                             Equal(NamedSemaphore::Open(name, true, 0, &named), 0);
                             const auto damaged =
                                 std::make_shared<TrackedSemaphore>(std::move(named));
                             const auto other = MakeTracked(0);
                             for (int32_t i = 1; i <= 2; i++)
                               Equal(SemaphoreWaiter::Start(damaged, queue, i), 0);
                             Equal(::truncate(FileOfSemaphore(name).c_str(), 0), 0);
                             NamedSemaphore::Unlink(name);
                             // The thread looks at all semaphores when it is given another one.
                             Equal(SemaphoreWaiter::Start(other, queue, 3), 0);
                             for (int32_t i = 1; i <= 2; i++) {
                               const auto completion = Next(*queue);
                               Equal(completion.request, i);
                               Equal(completion.status, -EIO);
                             }
                             Equal(other->Release(TrackedSemaphore::kNoLimit), 0);
                             Equal(Next(*queue).request, 3);
                             SemaphoreWaiter::Stop();
                           });
#endif

// Regression: each request that was withdrawn was looked for among all others, so the time grew
// with the square of their number.
inline const Test kManyWithdrawn("waiter: 50000 requests are withdrawn, and none takes a value",
                                 [] {
                                   const auto queue = MakeQueue();
                                   const auto semaphore = MakeTracked(0);
                                   constexpr int32_t kMany = 50000;
                                   for (int32_t i = 1; i <= kMany; i++)
                                     Equal(SemaphoreWaiter::Start(semaphore, queue, i), 0);
                                   for (int32_t i = kMany; i > 1; i--)
                                     SemaphoreWaiter::Cancel(queue, i);
                                   for (int i = 0; i < 2; i++)
                                     Equal(semaphore->Release(TrackedSemaphore::kNoLimit), 0);
                                   Equal(Next(*queue).request, 1);
                                   Check(IsEmpty(*queue));
                                   ExpectNoSleepers(*semaphore);
                                   Equal(semaphore->semaphore().Value(), 1);
                                   SemaphoreWaiter::Stop();
                                 });

inline const Test kPresent("waiter: a value that is there already is taken", [] {
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(2);
  for (int32_t i = 1; i <= 2; i++) Equal(SemaphoreWaiter::Start(semaphore, queue, i), 0);
  for (int32_t i = 1; i <= 2; i++) Equal(Next(*queue).request, i);
  Equal(semaphore->semaphore().Value(), 0);
  SemaphoreWaiter::Stop();
});

inline const Test kOtherProcess("waiter: another process posts", [] {
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(0);
  Equal(SemaphoreWaiter::Start(semaphore, queue, 1), 0);
  const pid_t child = StartChild([&] { semaphore->semaphore().Post(); });
  Equal(Next(*queue).request, 1);
  KillAndReap(child);
  SemaphoreWaiter::Stop();
});

inline const Test kMany("waiter: three hundred semaphores at once", [] {
  constexpr int32_t kCount = 300;
  const auto queue = MakeQueue();
  std::vector<std::shared_ptr<TrackedSemaphore>> semaphores;
  for (int32_t i = 0; i < kCount; i++) {
    semaphores.push_back(MakeTracked(0));
    Equal(SemaphoreWaiter::Start(semaphores.back(), queue, i), 0);
  }
  for (int32_t i = kCount - 1; i >= 0; i--) {
    semaphores[static_cast<size_t>(i)]->Release(TrackedSemaphore::kNoLimit);
    Equal(Next(*queue).request, i);
  }
  SemaphoreWaiter::Stop();
});

inline const Test kCancel("waiter: a withdrawn request leaves the value, whenever it was posted",
                          [] {
                            const auto queue = MakeQueue();
                            const auto semaphore = MakeTracked(0);
                            for (int32_t i = 0; i < 300; i++) {
                              Equal(SemaphoreWaiter::Start(semaphore, queue, i), 0);
                              if (i % 3 != 0) semaphore->Release(TrackedSemaphore::kNoLimit);
                              // Taken already.
                              if (i % 3 == 2) {
                                pollfd readable{queue->fd(), POLLIN, 0};
                                Equal(::poll(&readable, 1, 60000), 1);
                              }
                              SemaphoreWaiter::Cancel(queue, i);
                              Check(IsEmpty(*queue));
                              Equal(semaphore->semaphore().Value(), i % 3 == 0 ? 0 : 1);
                              if (i % 3 != 0) Equal(semaphore->TryAcquire(), 0);
                            }
                            ExpectNoSleepers(*semaphore);
                            SemaphoreWaiter::Stop();
                          });

inline const Test kPassedOn("waiter: no value is left while another process sleeps", [] {
  constexpr int32_t kRounds = 2000;
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(0);
  const auto answers = MakeTracked(0);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      if (semaphore->semaphore().Wait(std::chrono::seconds(100)) == 0) answers->semaphore().Post();
    }
  }
  for (int32_t i = 0; i < kRounds; i++) {
    Equal(SemaphoreWaiter::Start(semaphore, queue, i), 0);
    semaphore->Release(TrackedSemaphore::kNoLimit);
    SemaphoreWaiter::Cancel(queue, i);
    Equal(answers->semaphore().Wait(std::chrono::seconds(60)), 0);
  }
  KillAndReap(child);
  SemaphoreWaiter::Stop();
});

inline const Test kCancelAll("waiter: an environment that ends posts again what its requests took",
                             [] {
                               const auto ending = MakeQueue();
                               const auto staying = MakeQueue();
                               const auto semaphore = MakeTracked(2);
                               for (int32_t i = 0; i < 4; i++)
                                 Equal(SemaphoreWaiter::Start(semaphore, ending, i), 0);
                               Equal(SemaphoreWaiter::Start(semaphore, staying, 4), 0);
                               SemaphoreWaiter::CancelAll(ending);
                               Check(IsEmpty(*ending));
                               Equal(Next(*staying).request, 4);
                               Equal(semaphore->semaphore().Value(), 1);
                               SemaphoreWaiter::Stop();
                             });

inline const Test kStop("waiter: stops with requests waiting, and starts again", [] {
  const auto queue = MakeQueue();
  const auto semaphore = MakeTracked(0);
  Equal(SemaphoreWaiter::Start(semaphore, queue, 1), 0);
  SemaphoreWaiter::Stop();
  ExpectNoSleepers(*semaphore);
  Check(IsEmpty(*queue));
  Equal(SemaphoreWaiter::Start(semaphore, queue, 2), 0);
  semaphore->Release(TrackedSemaphore::kNoLimit);
  Equal(Next(*queue).request, 2);
  SemaphoreWaiter::Stop();
});

inline const Test kHolder(
    "waiter: the death of a holder is recovered from, or reported to every request", [] {
      for (const bool exposed : {false, true}) {
        const auto table = MakeTable();
        const auto queue = MakeQueue();
        const auto lock = MakeTracked(1);
        lock->Track(table, 1, TrackedSemaphore::Role::kHolder);
        if (exposed) lock->Expose();
        const pid_t child = StartChild([&] {
          lock->semaphore().TryWait();
          HolderTable::Set(table->Claim(1), 1, Phase::kHolding, 1);
        });
        for (int32_t i = 1; i <= 2; i++) Equal(SemaphoreWaiter::Start(lock, queue, i), 0);
        KillAndReap(child);
        const auto first = Next(*queue);
        Equal(first.request, 1);
        Equal(first.status, exposed ? static_cast<int32_t>(kOwnerDied) : 0);
        if (!exposed) Equal(lock->Release(1), 0);
        const auto second = Next(*queue);
        Equal(second.request, 2);
        Equal(second.status, first.status);
        SemaphoreWaiter::Stop();
      }
    });

}  // namespace mp::test
