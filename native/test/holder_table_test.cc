// SPDX-License-Identifier: MIT
#include "semaphores/holder_table.h"

#include <atomic>
#include <csignal>
#include <set>
#include <thread>
#include <vector>

#include "check.h"
#include "os/platform.h"
#include "semaphores.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr uint32_t kNumber = 7;

bool HasDeadHolder(HolderTable& table, uint32_t number = kNumber) {
  return table.FindDeadHolder(number).record != nullptr;
}

const Test kNumbers("holder table: numbers are never given twice", [] {
  const auto table = MakeTable();
  Equal(table->NextNumber(), 1u);
  Equal(table->NextNumber(), 2u);
});

const Test kLive("holder table: a living holder is never dead, even if it is stopped", [] {
  const auto table = MakeTable();
  HolderTable::Record* own = table->Claim(kNumber);
  HolderTable::Set(own, kNumber, Phase::kHolding, 1);
  Check(!HasDeadHolder(*table));
  Check(table->HasLiveHolder(kNumber));
  Check(!table->HasLiveHolder(kNumber + 1));
  table->Abandon(own);
  table->ClearHolder(kNumber);
  const pid_t child =
      StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1); });
  ::kill(child, SIGSTOP);
  ::waitpid(child, nullptr, WUNTRACED);
  Check(!HasDeadHolder(*table));
  Check(table->HasLiveHolder(kNumber));
  KillAndReap(child);
});

const Test kHoldings("holder table: it lists the holders of all locks, and no waiters", [] {
  const auto table = MakeTable();
  HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1);
  HolderTable::Set(table->Claim(kNumber + 1), kNumber + 1, Phase::kWaiting, 1);
  HolderTable::Set(table->Claim(kNumber + 2), kNumber + 2, Phase::kMoving, 1);
  const std::vector<HolderTable::Holding> found = table->Holdings();
  Equal(found.size(), 2u);
  Equal(found[0].number, kNumber);
  Equal(found[1].number, kNumber + 2);
  for (const auto& each : found) Equal(each.pid, static_cast<uint32_t>(::getpid()));
});

const Test kDead("holder table: a killed holder is dead, as a zombie and afterwards", [] {
  const auto table = MakeTable();
  const pid_t child =
      StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1); });
  KillOnly(child);
  Equal(table->FindDeadHolder(kNumber).pid, static_cast<uint32_t>(child));
  KillAndReap(child);
  const HolderTable::DeadHolder dead = table->FindDeadHolder(kNumber);
  Check(dead.record != nullptr);
  Check(!table->HasLiveHolder(kNumber));
  // One caller reaps it, even if another process has claimed and holds the same record by then.
  Check(HolderTable::Reap(dead));
  Check(!HolderTable::Reap(dead));
  HolderTable::Record* own = table->Claim(kNumber);
  Check(own == dead.record);
  HolderTable::Set(own, kNumber, Phase::kHolding, 1);
  Check(!HolderTable::Reap(dead));
  Check(table->HasLiveHolder(kNumber));
});

const Test kReused("holder table: a later process with the same pid does not make a holder living",
                   [] {
                     const auto table = MakeTable();
                     const pid_t child = StartChild([&] {
                       HolderTable::Record* record = table->Claim(kNumber);
                       record->start.store(record->start.load() - 1);
                       HolderTable::Set(record, kNumber, Phase::kHolding, 1);
                     });
                     Check(HasDeadHolder(*table));
                     KillAndReap(child);
                   });

const Test kNamespace("holder table: of another pid namespace nothing is known", [] {
  const auto table = MakeTable();
  HolderTable::Record* record = table->Claim(kNumber);
  record->space.store(record->space.load() + 1);
  record->pid.store(0x7ffffff0);
  HolderTable::Set(record, kNumber, Phase::kHolding, 1);
  Check(!HasDeadHolder(*table));
  Check(table->HasLiveHolder(kNumber));
});

const Test kOrphanedHolder(
    "holder table: a thread that ends leaves an orphaned record only of what it holds", [] {
      const auto table = MakeTable();
      HolderTable::Record* record = table->Claim(kNumber);
      table->Abandon(record);
      Equal(record->state.load(), 0u);
      record = table->Claim(kNumber);
      HolderTable::Set(record, kNumber, Phase::kHolding, 1);
      table->Abandon(record);
      Check(HasDeadHolder(*table));
      Check(!table->HasLiveHolder(kNumber));
      table->ClearHolder(kNumber);
      Check(!HasDeadHolder(*table));
    });

const Test kClear("holder table: posting on behalf of the holder clears its record", [] {
  const auto table = MakeTable();
  HolderTable::Record* record = table->Claim(kNumber);
  HolderTable::Set(record, kNumber, Phase::kHolding, 1);
  table->ClearHolder(kNumber + 1);
  Equal(HolderTable::Count(record, Phase::kHolding), 1u);
  table->ClearHolder(kNumber);
  Equal(HolderTable::Count(record, Phase::kHolding), 0u);
  // The record still belongs to its owner.
  HolderTable::Set(record, kNumber, Phase::kHolding, 1);
  Check(table->HasLiveHolder(kNumber));
});

const Test kWaiters("holder table: dead waiters are counted once", [] {
  const auto table = MakeTable();
  HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kWaiting, 2);
  const pid_t child =
      StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kWaiting, 3); });
  Equal(table->ReapDeadWaiters(kNumber), 0u);
  KillAndReap(child);
  Equal(table->ReapDeadWaiters(kNumber + 1), 0u);
  Equal(table->ReapDeadWaiters(kNumber), 3u);
  Equal(table->ReapDeadWaiters(kNumber), 0u);
});

const Test kNotified("holder table: a notification is left for a living waiter, once for each call",
                     [] {
                       const auto table = MakeTable();
                       HolderTable::Record* own = table->Claim(kNumber);
                       HolderTable::Record* later = table->Claim(kNumber);
                       Equal(table->LeaveNotifications(kNumber, 1), 0u);
                       HolderTable::Set(own, kNumber, Phase::kWaiting, 2);
                       Equal(table->CountWaiting(kNumber), 2u);
                       Equal(table->LeaveNotifications(kNumber, 1), 1u);
                       Equal(table->LeaveNotifications(kNumber, 5), 1u);
                       Equal(table->LeaveNotifications(kNumber, 5), 0u);
                       // Another waiter cannot take what was left for the first one.
                       HolderTable::Set(later, kNumber, Phase::kWaiting, 1);
                       Check(!table->TakeNotification(kNumber, later));
                       Check(!table->TakeNotification(kNumber + 1, own));
                       Check(!table->TakeSurplusNotification(kNumber, own, 2));
                       Check(table->TakeSurplusNotification(kNumber, own, 1));
                       Check(!table->TakeSurplusNotification(kNumber, later, 0));
                       Equal(table->CountNotified(kNumber), 1u);
                       Equal(table->LeaveNotifications(kNumber, 1), 1u);
                       Check(table->TakeNotification(kNumber, own));
                       Equal(table->TakeOrphanedNotifications(kNumber), 0u);
                       Check(table->TakeNotification(kNumber, own));
                       Check(!table->TakeNotification(kNumber, own));
                     });

const Test kWithoutTag(
    "holder table: no notification is left for a waiter that does not look for it", [] {
      const auto table = MakeTable();
      HolderTable::Record* record = table->Claim(kNumber);
      Check(record->tag.load() != 0);
      HolderTable::Set(record, kNumber, Phase::kWaiting, 1);
      Equal(table->CountWithoutTag(kNumber), 0u);
      record->tag.store(0);
      HolderTable::Set(record, kNumber, Phase::kWaiting, 2);
      Equal(table->CountWithoutTag(kNumber), 2u);
      Equal(table->CountWaiting(kNumber), 2u);
      Equal(table->LeaveNotifications(kNumber, 1), 0u);
    });

const Test kPassedOn(
    "holder table: the notification of a waiter that dies or wakes goes to another", [] {
      const auto table = MakeTable();
      HolderTable::Record* own = table->Claim(kNumber);
      const pid_t child =
          StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kWaiting, 1); });
      Equal(table->LeaveNotifications(kNumber, 2), 1u);
      HolderTable::Set(own, kNumber, Phase::kWaiting, 1);
      Check(!table->TakeNotification(kNumber, own));
      KillAndReap(child);
      Equal(table->LeaveNotifications(kNumber, 0), 0u);
      Check(table->TakeNotification(kNumber, own));
      // The next one stays behind, since its waiter gives up.
      Equal(table->LeaveNotifications(kNumber, 1), 1u);
      HolderTable::Set(own, kNumber, Phase::kIdle, 0);
      Equal(table->TakeOrphanedNotifications(kNumber), 1u);
      Equal(table->TakeOrphanedNotifications(kNumber), 0u);
    });

const Test kFull("holder table: when it is full, records of dead processes are used again", [] {
  const auto table = MakeTable();
  size_t claimed = 0;
  const pid_t child = StartChild([&] {
    while (table->Claim(kNumber) != nullptr) {
    }
  });
  Check(table->Claim(1) == nullptr);
  // Without a free record for this semaphore, all count as exposed.
  Check(!table->IsExposed(kNumber));
  table->Expose(kNumber);
  Check(table->IsExposed(kNumber));
  KillAndReap(child);
  while (table->Claim(kNumber) != nullptr) claimed++;
  Check(claimed > 100, Shown(claimed));
});

// Regression: a record that was being filled in still named its dead owner, and was claimed again.
const Test kClaimedOnce("holder table: threads that claim a dead process's records share none", [] {
  constexpr size_t kThreads = 4;
  for (int round = 0; round < 20; round++) {
    const auto table = MakeTable();
    const pid_t child = StartChild([&] {
      while (table->Claim(kNumber) != nullptr) {
      }
    });
    KillAndReap(child);
    std::vector<HolderTable::Record*> claimed[kThreads];
    std::vector<std::thread> threads;
    std::atomic<size_t> ready{0};
    for (auto& own : claimed) {
      threads.emplace_back([&] {
        for (ready++; ready < kThreads;) {
        }
        while (HolderTable::Record* record = table->Claim(kNumber + 1)) own.push_back(record);
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::set<HolderTable::Record*> all;
    size_t sum = 0;
    for (const auto& own : claimed) {
      all.insert(own.begin(), own.end());
      sum += own.size();
    }
    Equal(all.size(), sum);
  }
});

const Test kExposed("holder table: a semaphore is exposed for as long as a process has it open",
                    [] {
                      const auto table = MakeTable();
                      HolderTable::Record* creator = table->Claim(kNumber);
                      HolderTable::Record* other = table->Claim(kNumber);
                      table->Expose(kNumber);
                      table->Expose(kNumber);
                      Check(table->IsExposed(kNumber));
                      Check(!table->IsExposed(kNumber + 1));
                      table->Abandon(creator);
                      table->Close(kNumber);
                      Check(table->IsExposed(kNumber));
                      table->Abandon(other);
                      Check(!table->IsExposed(kNumber));
                    });

const Test kNothingLeft("holder table: locks that their holder closed leave no records", [] {
  const auto table = MakeTable();
  for (uint32_t number = 1; number < 2000; number++) {
    HolderTable::Record* record = table->Claim(number);
    Check(record != nullptr, Shown(number));
    table->Expose(number);
    HolderTable::Set(record, number, Phase::kHolding, 1);
    table->Abandon(record);
    table->Close(number);
  }
  Check(!table->IsExposed(kNumber));
});

const Test kRecovered(
    "tracked semaphore: a dead holder's lock is posted where every process keeps records", [] {
      const auto table = MakeTable();
      const auto lock = MakeTracked(1);
      lock->Track(table, kNumber, TrackedSemaphore::Role::kHolder);
      const pid_t child = StartChild([&] {
        lock->semaphore().TryWait();
        HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1);
      });
      Equal(lock->CheckHolder(), 0);
      Equal(lock->TryAcquire(), -EAGAIN);
      KillAndReap(child);
      Equal(lock->DeadHolder(), static_cast<uint32_t>(child));
      Equal(lock->CheckHolder(), 0);
      Equal(lock->TryAcquire(), 0);
      Equal(lock->CheckHolder(), 0);
      Equal(lock->Release(1), 0);
      Equal(lock->Release(1), -EOVERFLOW);
    });

const Test kReported(
    "tracked semaphore: a dead holder is reported elsewhere, until the lock is recovered", [] {
      const auto table = MakeTable();
      const auto lock = MakeTracked(1);
      lock->Track(table, kNumber, TrackedSemaphore::Role::kHolder);
      lock->Expose();
      const pid_t child = StartChild([&] {
        lock->semaphore().TryWait();
        HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1);
      });
      Equal(lock->CheckHolder(), 0);
      Equal(lock->Recover(false), 0);
      Equal(lock->Recover(true), 0);
      KillAndReap(child);
      Equal(lock->CheckHolder(), static_cast<int>(kOwnerDied));
      // A living holder has the lock by now.
      HolderTable::Record* live = table->Claim(kNumber);
      HolderTable::Set(live, kNumber, Phase::kHolding, 1);
      Equal(lock->CheckHolder(), 0);
      table->Abandon(live);
      table->ClearHolder(kNumber);
      Equal(lock->CheckHolder(), static_cast<int>(kOwnerDied));
      Equal(lock->Recover(false), 1);
      Equal(lock->Recover(false), 0);
      Equal(lock->semaphore().Value(), 1);
      // Taken by a process that keeps no records.
      Equal(lock->semaphore().TryWait(), 0);
      Equal(lock->CheckHolder(), 0);
      Equal(lock->Recover(false), 0);
      Equal(lock->Recover(true), 1);
    });

const Test kLeft("holder table: items that were left go with the name of their semaphore", [] {
  const auto table = MakeTable();
  for (const bool closed_before : {false, true}) {
    HolderTable::Record* own = table->Claim(kNumber);
    HolderTable::SetSlots(own, kNumber, 2);
    if (closed_before) table->Close(kNumber);
    table->Leave(own, kNumber, 2);
    Equal(table->FindLeft(kNumber).items, closed_before ? 0u : 2u);
    table->Close(kNumber);
    Equal(table->FindLeft(kNumber).items, 0u);
  }
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
