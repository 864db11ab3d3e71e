// SPDX-License-Identifier: MIT
//
// A process dies between any two steps of taking, releasing and taking over a lock.
#include <cerrno>
#include <memory>
#include <vector>

#include "kills.h"
#include "semaphores.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr uint32_t kNumber = 7;
constexpr int kMostSteps = 100;

std::shared_ptr<TrackedSemaphore> Member(const TrackedSemaphore& lock) {
  auto member = std::make_shared<TrackedSemaphore>(lock.shared());
  Equal(member->Track(lock.table(), kNumber, TrackedSemaphore::Role::kHolder), 0);
  return member;
}

std::shared_ptr<TrackedSemaphore> MakeLock() {
  auto lock = MakeTracked(1);
  Equal(lock->Track(MakeTable(), kNumber, TrackedSemaphore::Role::kHolder), 0);
  return lock;
}

// Whatever has happened, the lock can be taken, once.
void ExpectOneHolder(TrackedSemaphore& lock) {
  if (lock.TryAcquire() == -EAGAIN) {
    Equal(lock.CheckHolder(), 0);
    Equal(lock.TryAcquire(), 0);
  }
  Equal(lock.TryAcquire(), -EAGAIN);
  Equal(lock.CheckHolder(), 0);
  Equal(lock.semaphore().Value(), 0);
  Equal(lock.Release(TrackedSemaphore::kNoLimit), 0);
  Equal(lock.CheckHolder(), 0);
  Equal(lock.semaphore().Value(), 1);
}

void TakeAndRelease(TrackedSemaphore& lock) {
  if (lock.TryAcquire() == 0) lock.Release(TrackedSemaphore::kNoLimit);
}

const Test kDies("evidence: a process that dies at any step of a lock leaves it to the others", [] {
  int step = 0;
  for (;; step++) {
    const auto lock = MakeLock();
    const bool died = DiesAtStep(step, [&](auto arm) {
      const auto member = Member(*lock);
      arm();
      TakeAndRelease(*member);
    });
    ExpectOneHolder(*lock);
    if (!died) break;
    Check(step < kMostSteps);
  }
  Check(step >= 4, Shown(step));
});

const Test kTwoDie("evidence: so do two that die at any two steps", [] {
  for (int first = 0; first < 5; first++) {
    for (int second = 0; second < 5; second++) {
      const auto lock = MakeLock();
      for (const int step : {first, second}) {
        DiesAtStep(step, [&](auto arm) {
          const auto member = Member(*lock);
          arm();
          TakeAndRelease(*member);
        });
      }
      ExpectOneHolder(*lock);
    }
  }
});

const Test kMenderDies("evidence: one that dies at any step of taking over is taken over too", [] {
  for (int first = 0; first < 5; first++) {
    for (int step = 0; step < kMostSteps; step++) {
      const auto lock = MakeLock();
      DiesAtStep(first, [&](auto arm) {
        const auto member = Member(*lock);
        arm();
        TakeAndRelease(*member);
      });
      const bool died = DiesAtStep(step, [&](auto arm) {
        const auto member = Member(*lock);
        arm();
        (void)member->CheckHolder();
        TakeAndRelease(*member);
      });
      ExpectOneHolder(*lock);
      if (!died) break;
    }
  }
});

const Test kLiving("evidence: while a living process is between two steps, nothing is concluded",
                   [] {
                     const auto lock = MakeLock();
                     DiesAtStep(1, [&](auto arm) {
                       const auto member = Member(*lock);
                       arm();
                       TakeAndRelease(*member);
                     });
                     HolderTable& table = *lock->table();
                     HolderTable::Record* living = table.Claim(kNumber);
                     Check(HolderTable::Move(living, Phase::kIdle, Phase::kTaking));
                     Equal(lock->CheckHolder(), 0);
                     Equal(lock->semaphore().Value(), 0);
                     Check(HolderTable::Move(living, Phase::kTaking, Phase::kIdle));
                     Equal(lock->CheckHolder(), 0);
                     Equal(lock->semaphore().Value(), 1);
                     table.Abandon(living);
                   });

// A Python thread sleeps in sem_wait, and has the lock as soon as it wakes.
const Test kSleeps("evidence: a sleeper is no obstacle once another sleep of its was in vain", [] {
  const auto lock = MakeLock();
  DiesAtStep(1, [&](auto arm) {
    const auto member = Member(*lock);
    arm();
    TakeAndRelease(*member);
  });
  Equal(lock->semaphore().Value(), 0);
  HolderTable& table = *lock->table();
  HolderTable::Record* sleeper = table.Claim(kNumber);
  HolderTable::Set(sleeper, kNumber, Phase::kSleeping, 3);
  for (int i = 0; i < 2; i++) {
    Equal(lock->CheckHolder(), 0);
    Equal(lock->semaphore().Value(), 0);
  }
  HolderTable::Set(sleeper, kNumber, Phase::kSleeping, 4);
  Equal(lock->CheckHolder(), 0);
  Equal(lock->semaphore().Value(), 1);
  HolderTable::Set(sleeper, kNumber, Phase::kIdle, 0);
  table.Abandon(sleeper);
});

// Regression: the sleeper that had died could not count another sleep, so the lock stayed taken for
// ever.
const Test kDiesAsleep("evidence: a sleeper that dies in its sleep is no obstacle any more", [] {
  for (const bool in_another_sleep : {false, true}) {
    const auto lock = MakeLock();
    DiesAtStep(1, [&](auto arm) {
      const auto member = Member(*lock);
      arm();
      TakeAndRelease(*member);
    });
    HolderTable& table = *lock->table();
    HolderTable::Record* const dies = table.Claim(kNumber);
    HolderTable::Record* const lives = table.Claim(kNumber);
    for (HolderTable::Record* sleeper : {dies, lives})
      HolderTable::Set(sleeper, kNumber, Phase::kSleeping, 3);
    Equal(lock->CheckHolder(), 0);
    if (in_another_sleep) {
      // It may have had the lock when the others were looked at, and have released it since.
      dies->tag.store(dies->tag.load() + 100);
      HolderTable::Set(dies, kNumber, Phase::kSleeping, 0);
    }
    // No process with this number was started then.
    dies->start.store(dies->start.load() - 1);
    Equal(lock->CheckHolder(), 0);
    Equal(lock->semaphore().Value(), 0);
    HolderTable::Set(lives, kNumber, Phase::kSleeping, 4);
    Equal(lock->CheckHolder(), 0);
    Equal(lock->semaphore().Value(), 1);
    table.Abandon(lives);
  }
});

// Regression: it counted as dead before it got the lock, and what had been seen before its death
// was taken as proof that it had none.
const Test kDiesLate(
    "evidence: one that gets the lock from a living holder and dies keeps its record", [] {
      const auto lock = MakeLock();
      Equal(lock->TryAcquire(), 0);
      static HolderTable::Record* late;
      static TrackedSemaphore* held;
      HolderTable& table = *lock->table();
      late = table.Claim(kNumber);
      held = lock.get();
      HolderTable::Set(late, kNumber, Phase::kSleeping, 3);
      step_hook = [] {
        step_hook = nullptr;
        held->Release(TrackedSemaphore::kNoLimit);
        held->semaphore().TryWait();
        late->start.store(late->start.load() - 1);
      };
      (void)table.ForgetDeadTakers(kNumber, lock->semaphore());
      Equal(lock->semaphore().Value(), 0);
      Check(table.ForgetDeadTakers(kNumber, lock->semaphore()), "it may have the lock");
      ExpectOneHolder(*lock);
    });

const Test kForgotten("evidence: what a dead process has only tried to take is forgotten", [] {
  const auto lock = MakeLock();
  Equal(lock->TryAcquire(), 0);
  DiesAtStep(0, [&](auto arm) {
    const auto member = Member(*lock);
    arm();
    TakeAndRelease(*member);
  });
  HolderTable& table = *lock->table();
  Check(!table.ForgetDeadTakers(kNumber, lock->semaphore()), "its living holder is known");
  Equal(lock->Release(TrackedSemaphore::kNoLimit), 0);
  Check(!table.ForgetDeadTakers(kNumber, lock->semaphore()), "it is free");
  ExpectOneHolder(*lock);
});

const Test kUnrecorded("evidence: exclusion proves nothing once programs without records take part",
                       [] {
                         const auto lock = MakeLock();
                         lock->Expose();
                         DiesAtStep(1, [&](auto arm) {
                           const auto member = Member(*lock);
                           arm();
                           TakeAndRelease(*member);
                         });
                         Equal(lock->CheckHolder(), 0);
                         Equal(lock->semaphore().Value(), 0);
                       });

const Test kOnBehalf("evidence: so does one that dies while it releases a lock of another", [] {
  for (int step = 0; step < kMostSteps; step++) {
    const auto lock = MakeLock();
    Equal(lock->TryAcquire(), 0);
    const bool died = DiesAtStep(step, [&](auto arm) {
      const auto member = Member(*lock);
      arm();
      member->Release(TrackedSemaphore::kNoLimit);
    });
    // Before its first steps, the holder still has it.
    if (lock->semaphore().Value() == 0) {
      Equal(lock->CheckHolder(), 0);
      if (lock->semaphore().Value() == 0) lock->Release(TrackedSemaphore::kNoLimit);
    }
    ExpectOneHolder(*lock);
    if (!died) break;
  }
});

const Test kGrows(
    "holder table: it grows when all records are in use, for members that have it open", [] {
      const std::string path = "/dev/shm" + FreshName();
      std::shared_ptr<HolderTable> table;
      std::shared_ptr<HolderTable> other;
      Equal(HolderTable::Open(path, true, &table), 0);
      Equal(HolderTable::Open(path, false, &other), 0);
      constexpr uint32_t kMany = 10000;
      std::vector<HolderTable::Record*> records;
      for (uint32_t i = 0; i < kMany; i++) {
        records.push_back(table->Claim(kNumber));
        Check(records.back() != nullptr);
      }
      HolderTable::Set(records.back(), kNumber, Phase::kHolding, 1);
      Check(other->HasLiveHolder(kNumber));
      Check(other->IsIntact());
      for (HolderTable::Record* record : records) table->Abandon(record);
      ::unlink(path.c_str());
    });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
