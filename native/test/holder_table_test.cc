// SPDX-License-Identifier: MIT
#include "semaphores/holder_table.h"

#include <csignal>

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

const Test kLive("holder table: a holder that lives is never dead, also when it is stopped", [] {
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

const Test kDead("holder table: one that was killed is dead, as a zombie and afterwards", [] {
  const auto table = MakeTable();
  const pid_t child =
      StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kHolding, 1); });
  KillOnly(child);
  Equal(table->FindDeadHolder(kNumber).pid, static_cast<uint32_t>(child));
  KillAndReap(child);
  const HolderTable::DeadHolder dead = table->FindDeadHolder(kNumber);
  Check(dead.record != nullptr);
  Check(!table->HasLiveHolder(kNumber));
  // One caller gets it, even if another process has claimed and holds the same record meanwhile.
  Check(HolderTable::Reap(dead));
  Check(!HolderTable::Reap(dead));
  HolderTable::Record* own = table->Claim(kNumber);
  Check(own == dead.record);
  HolderTable::Set(own, kNumber, Phase::kHolding, 1);
  Check(!HolderTable::Reap(dead));
  Check(table->HasLiveHolder(kNumber));
});

const Test kReused("holder table: a pid that belongs to a later process is no sign of life", [] {
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
    "holder table: a thread that ends leaves an orphan, and nothing if it held nothing", [] {
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

const Test kClear("holder table: who posts for the holder clears its record", [] {
  const auto table = MakeTable();
  HolderTable::Record* record = table->Claim(kNumber);
  HolderTable::Set(record, kNumber, Phase::kHolding, 1);
  table->ClearHolder(kNumber + 1);
  Equal(HolderTable::Count(record, Phase::kHolding), 1u);
  table->ClearHolder(kNumber);
  Equal(HolderTable::Count(record, Phase::kHolding), 0u);
  // It stays the owner's.
  HolderTable::Set(record, kNumber, Phase::kHolding, 1);
  Check(table->HasLiveHolder(kNumber));
});

const Test kWaiters("holder table: dead waiters are counted once", [] {
  const auto table = MakeTable();
  HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kWaiting, 2);
  const pid_t child =
      StartChild([&] { HolderTable::Set(table->Claim(kNumber), kNumber, Phase::kWaiting, 3); });
  Equal(table->ReapDead(kNumber, Phase::kWaiting, Phase::kOrphanedWaiters), 0u);
  KillAndReap(child);
  Equal(table->ReapDead(kNumber + 1, Phase::kWaiting, Phase::kOrphanedWaiters), 0u);
  Equal(table->ReapDead(kNumber, Phase::kWaiting, Phase::kOrphanedWaiters), 3u);
  Equal(table->ReapDead(kNumber, Phase::kWaiting, Phase::kOrphanedWaiters), 0u);
});

const Test kFull("holder table: when it is full the records of the dead are used again", [] {
  const auto table = MakeTable();
  size_t claimed = 0;
  const pid_t child = StartChild([&] {
    while (table->Claim(kNumber) != nullptr) {
    }
  });
  Check(table->Claim(1) == nullptr);
  // What cannot be noted of one is taken to be true of all.
  Check(!table->IsExposed(kNumber));
  table->Expose(kNumber);
  Check(table->IsExposed(kNumber));
  KillAndReap(child);
  while (table->Claim(kNumber) != nullptr) claimed++;
  Check(claimed > 100, Shown(claimed));
});

const Test kExposed("holder table: a name is exposed for as long as somebody has it open", [] {
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

const Test kNothingLeft("holder table: nothing is left of locks that were closed by their holder",
                        [] {
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

const Test kMended("tracked semaphore: a dead holder is mended where all record", [] {
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

const Test kReported("tracked semaphore: and reported where not, until somebody recovers", [] {
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
  // Not beside somebody who has it by now.
  HolderTable::Record* live = table->Claim(kNumber);
  HolderTable::Set(live, kNumber, Phase::kHolding, 1);
  Equal(lock->CheckHolder(), 0);
  table->Abandon(live);
  table->ClearHolder(kNumber);
  Equal(lock->CheckHolder(), static_cast<int>(kOwnerDied));
  Equal(lock->Recover(false), 1);
  Equal(lock->Recover(false), 0);
  Equal(lock->semaphore().Value(), 1);
  // Taken without a record, by whoever writes none.
  Equal(lock->semaphore().TryWait(), 0);
  Equal(lock->CheckHolder(), 0);
  Equal(lock->Recover(false), 0);
  Equal(lock->Recover(true), 1);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
