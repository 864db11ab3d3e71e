// SPDX-License-Identifier: MIT
//
// Which process holds which lock, and how many calls wait on which condition, in a page that every
// Node member of a family maps. A semaphore does not store its holder, so the death of a holder is
// noticed by these records. A record says "taking" before the semaphore is tried and "releasing"
// before it is posted, so a process that is killed at any instruction leaves one, and what the
// records of all processes say together proves whether it had the lock. docs/internals.md has the
// layout and the proof.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "os/guarded_mapping.h"
#include "semaphores/holder_state.h"
#include "semaphores/named_semaphore.h"

namespace mp {

class HolderTable {
 public:
  // Only its owner writes a record, except that others clear or reap it.
  struct Record {
    // Semaphore number, tag, count (or turn, of a lock) and phase; 0 for a free record.
    std::atomic<uint64_t> state;
    std::atomic<uint64_t> start;  // When the owning process started, in clock ticks since boot.
    std::atomic<uint64_t> space;  // The inode of its pid namespace.
    std::atomic<uint32_t> pid;
    // Not 0. Differs between claims, so that a record that was given up and claimed again is not
    // mistaken for the earlier one.
    std::atomic<uint32_t> tag;
  };

  // The record of a dead process that has a lock, as it was found.
  struct DeadHolder {
    Record* record = nullptr;
    uint64_t state = 0;
    uint32_t pid = 0;
    bool moving = false;
    // The owner was killed between two phases. That it has the lock follows from what the records
    // of all others say, so it is true only if every process that knows the lock has records.
    bool between = false;
  };

  struct DeadSlots {
    uint32_t all = 0;
    uint32_t of_python = 0;
  };

  // Maps the table at `path`, which is made if `create`. 0 or -errno (ENOSPC when there is no
  // memory for the page, EIO when an existing table was truncated).
  static int Open(const std::string& path, bool create, std::shared_ptr<HolderTable>* out);
  ~HolderTable();
  HolderTable(const HolderTable&) = delete;
  HolderTable& operator=(const HolderTable&) = delete;

  // False once the file was truncated or overwritten. The records of the other members are gone
  // then, and so are the ones of this process for the others.
  bool IsIntact() const noexcept;

  // The number of a new semaphore, from 1. No other semaphore of the family ever has the same.
  uint32_t NextNumber() noexcept;

  // A record for a semaphore. The table grows when all are in use; nullptr when there is no memory
  // for that. Abandon() must follow.
  Record* Claim(uint32_t number) noexcept;

  // A phase with a count.
  static void Set(Record* record, uint32_t number, Phase phase, uint32_t count) noexcept {
    const uint32_t tag = record->tag.load(std::memory_order_relaxed);
    record->state.store(holder_state::Pack(number, tag, phase, count));
  }
  static uint32_t Count(const Record* record, Phase phase) noexcept;

  // For locks, by the owner: from one phase to another. Taking begins a new turn. False if another
  // process has changed the record, since it posts in the owner's place.
  static bool Move(Record* record, Phase from, Phase to) noexcept;
  static Phase PhaseOf(const Record* record) noexcept;
  static bool Holds(const Record* record) noexcept {
    const Phase phase = PhaseOf(record);
    return phase == Phase::kHolding || phase == Phase::kMoving;
  }

  // For slots, by the owner: how many it has taken. Counting says that one of them is being taken
  // or given back at this moment.
  static void SetSlots(Record* record, uint32_t number, uint32_t count,
                       Phase phase = Phase::kReserved) noexcept;

  // Gives a record up. What its owner holds or waits for stays visible, as orphaned.
  void Abandon(Record* record) noexcept;
  // The same of a record of items that its owner has got, and that others may finish.
  void Leave(Record* record, uint32_t number, uint32_t items) noexcept;

  // Clears the holder's record, for a caller that posts on behalf of the holder. False if there is
  // a record, but another process has changed it.
  bool ClearHolder(uint32_t number) noexcept;

  // The dead process that has the lock; without a record if there is none, or if that is not
  // decided at this moment. One that was killed between two phases is found only with the
  // semaphore, whose value decides.
  DeadHolder FindDeadHolder(uint32_t number, const NamedSemaphore* semaphore = nullptr) noexcept;
  // Makes the owner of `own`, which is idle, the holder in place of the dead one. False if another
  // process was faster.
  bool TakeOver(const DeadHolder& dead, Record* own) noexcept;
  // Removes the records of dead processes that were killed between two phases, if they do not have
  // the lock. Whether there are dead ones that may have it.
  bool ForgetDeadTakers(uint32_t number, const NamedSemaphore& semaphore) noexcept;
  // Whether the semaphore has a holder that is not known to be dead.
  bool HasLiveHolder(uint32_t number) noexcept;

  // How many calls wait by their records.
  uint32_t CountWaiting(uint32_t number) noexcept;
  // How many of these find their notification in the semaphore alone, and are alive. Their records
  // have no tag: the processes that write them do not look into the table.
  uint32_t CountWithoutTag(uint32_t number) noexcept;
  // Notifications that their waiters have not taken from the condition's semaphore, where a later
  // waiter would find them. They are left for calls of living owners instead that have none yet, at
  // most `most`: how many were left. For the holder of the condition's lock.
  uint32_t LeaveNotifications(uint32_t number, uint32_t most) noexcept;
  // Takes one that was left for the owner of `record`, or for a waiter that has died, or has woken
  // otherwise. True if there was one.
  bool TakeNotification(uint32_t number, const Record* record) noexcept;
  // Takes one that was left for the owner of `record`, if there are more than `calls`.
  bool TakeSurplusNotification(uint32_t number, const Record* record, uint32_t calls) noexcept;
  // How many were left for calls that still wait.
  uint32_t CountNotified(uint32_t number) noexcept;
  // Takes all that were left for such former waiters: how many there were.
  uint32_t TakeOrphanedNotifications(uint32_t number) noexcept;

  // Removes the record. True for the one caller that may post what its owner held.
  static bool Reap(const DeadHolder& dead) noexcept {
    uint64_t state = dead.state;
    return dead.record != nullptr && dead.record->state.compare_exchange_strong(state, 0);
  }
  // Removes the records of dead waiters. Returns how many calls of theirs have waited.
  uint32_t ReapDeadWaiters(uint32_t number) noexcept;

  // The slots that processes have taken for items on their way, and that are not in the pipe.
  // -EAGAIN if a count changes at this moment, so that it says nothing. Two equal `seal`s mean that
  // nothing has changed in between.
  int64_t SumSlots(uint32_t number, uint64_t* seal) noexcept;
  // Removes the records of dead processes. Returns how many slots these had counted, for certain.
  // With `leave`, their records remain instead, as ones that were left.
  DeadSlots ReapDeadSlots(uint32_t number, bool leave = false) noexcept;
  // Of writers that have died while they noted items: these count as accepted again.
  void AcceptAgain(uint32_t number, uint32_t items) noexcept;

  // A record of items that were left, by its place and the lower half of its state; 0 if there is
  // none.
  struct Left {
    uint64_t record = 0;
    uint32_t items = 0;
  };
  Left FindLeft(uint32_t number) noexcept;
  void RemoveLeft(uint32_t number, uint64_t left) noexcept;

  // Marks a semaphore as known to processes that write no records.
  void Expose(uint32_t number) noexcept;
  bool IsExposed(uint32_t number) noexcept;

  // The record of a queue's flags, by the number of one of its semaphores; nullptr if it has none.
  // The process that creates the queue makes it.
  Record* QueueFlags(uint32_t number, bool make) noexcept;
  // 0 once the record belongs to something else.
  static uint32_t Flags(const Record* record, uint32_t number) noexcept;
  static void AddFlags(Record* record, uint32_t number, uint32_t flags) noexcept;

  // A process that holds a lock.
  struct Holding {
    uint32_t number;
    uint32_t pid;
  };
  // All that do at this moment. Changes nothing.
  std::vector<Holding> Holdings() noexcept;

  // To be called when the semaphore's name is gone. Its records go once no process has it open.
  void Close(uint32_t number) noexcept;

 private:
  struct Page;
  using Seen = std::vector<std::pair<Record*, uint64_t>>;

  HolderTable(std::string path, const struct stat& file, Page* page);

  std::span<Record> Records() noexcept;
  bool Grow() noexcept;
  Record* FindFree(bool reclaim, uint64_t claimed) noexcept;
  // Puts a state that has no owner into a free record; nullptr if there is none.
  Record* Put(uint64_t state) noexcept;
  // Calls visit(record, state) for the records of a semaphore, until it returns false.
  template <typename Visit>
  void ForEach(uint32_t number, Visit visit) noexcept {
    for (Record& record : Records()) {
      const uint64_t state = record.state.load();
      const bool wanted = state != 0 && holder_state::NumberOf(state) == number;
      if (wanted && !visit(record, state)) return;
    }
  }
  Seen Collect(uint32_t number) noexcept;
  static bool IsDead(const Record& record) noexcept;
  bool IsOfPython(const Record& record) const noexcept;
  static DeadHolder FindCertain(const Seen& dead) noexcept;
  DeadHolder FindByExclusion(uint32_t number, const Seen& dead,
                             const NamedSemaphore& semaphore) noexcept;
  bool SleptInVain(const Seen& all_dead, const Seen& sleepers) noexcept;
  template <typename Matches>
  bool TakeOneNotification(uint32_t number, Matches matches) noexcept;
  Record* AddMark(uint32_t number, Phase phase) noexcept;
  Record* FindMark(uint32_t number, Phase phase) noexcept;
  bool HasMark(uint32_t number, Phase phase) noexcept { return FindMark(number, phase) != nullptr; }
  void ForgetIfUnused(uint32_t number) noexcept;
  // Whether the owner of the waiter's record with this tag lives and waits.
  bool IsWaiting(uint32_t number, uint32_t tag) noexcept;
  uint32_t NotificationsFor(uint32_t number, uint32_t tag) noexcept;
  bool AddNotifications(uint32_t number, uint32_t tag, uint32_t count) noexcept;

  // What was seen of a lock when Python threads that sleep may have had it, by the lock's number.
  struct Look {
    Seen::value_type dead;
    Seen sleepers;
  };
  std::mutex looks_mutex_;
  std::map<uint32_t, Look> looks_;

  // To open the file again when it must grow: a descriptor would be one more for each process.
  const std::string path_;
  const dev_t device_;
  const ino_t inode_;
  Page* page_;
  std::unique_ptr<GuardedMapping> mapping_;
};

}  // namespace mp
