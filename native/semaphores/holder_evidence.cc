// SPDX-License-Identifier: MIT
//
// What the records of a semaphore prove about the dead.
#include <algorithm>
#include <cerrno>

#include "semaphores/holder_table.h"
#include "util/steps.h"

namespace mp {

using namespace holder_state;

HolderTable::DeadHolder HolderTable::FindDeadHolder(uint32_t number,
                                                    const NamedSemaphore* semaphore) noexcept {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; i++) {
    Seen dead;
    bool undecided = false;
    for (const auto& [record, state] : Collect(number)) {
      const Phase phase = PhaseIn(state);
      if (IsOrphanedHolder(phase)) {
        dead.emplace_back(record, state);
      } else if (IsHolding(phase) || IsBetween(phase)) {
        if (IsDead(*record))
          dead.emplace_back(record, state);
        else
          undecided = undecided || phase == Phase::kReleasing;
      }
    }
    // A process that posts in the place of a holder clears its record first.
    const DeadHolder certain = undecided ? DeadHolder() : FindCertain(dead);
    if (certain.record != nullptr) return certain;
    if (dead.empty() || semaphore == nullptr) return {};
    const DeadHolder found = FindByExclusion(number, dead, *semaphore);
    if (found.record != nullptr) return found;
  }
  return {};
}

HolderTable::DeadHolder HolderTable::FindCertain(const Seen& dead) noexcept {
  for (const auto& [record, state] : dead) {
    const Phase phase = PhaseIn(state);
    const uint32_t pid = record->pid.load(std::memory_order_relaxed);
    // The record may have changed its owner since its state was read.
    if (IsBetween(phase) || record->state.load() != state) continue;
    const bool moving = phase == Phase::kMoving || phase == Phase::kOrphanedMover;
    return {record, state, pid, moving, false};
  }
  return {};
}

// All processes that may have the lock are dead, and it is taken. Which of them has it does not
// matter, but all that conclude this must take over the same one: the first.
HolderTable::DeadHolder HolderTable::FindByExclusion(uint32_t number, const Seen& dead,
                                                     const NamedSemaphore& semaphore) noexcept {
  const Seen before = Collect(number);
  if (semaphore.Value() != 0 || before != Collect(number)) return {};
  Seen sleepers;
  for (const auto& each : before) {
    const Phase phase = PhaseIn(each.second);
    const bool is_dead = std::find(dead.begin(), dead.end(), each) != dead.end();
    if (phase == Phase::kSleeping && !is_dead) {
      sleepers.push_back(each);
      continue;
    }
    const bool may_have_it = IsHolding(phase) || IsOrphanedHolder(phase) || IsBetween(phase);
    // It was asked before whether these are dead. A process that has died since may have posted the
    // lock in between.
    if (may_have_it && !is_dead) return {};
  }
  if (!SleptInVain(dead, sleepers)) return {};
  const auto& [record, state] = dead.front();
  return {record, state, record->pid.load(std::memory_order_relaxed), false, true};
}

// Whether none of the Python threads that slept at an earlier look had the lock then, when all else
// was the same: each has said since, in the same wait, that its sleep was in vain.
bool HolderTable::SleptInVain(const Seen& all_dead, const Seen& sleepers) noexcept {
  const std::lock_guard lock(looks_mutex_);
  const Seen::value_type& dead = all_dead.front();
  const uint32_t number = NumberOf(dead.second);
  if (sleepers.empty()) {
    looks_.erase(number);
    return true;
  }
  const auto [found, is_first] = looks_.try_emplace(number, Look{dead, sleepers});
  Look& look = found->second;
  bool in_vain = true;
  for (const auto& [record, before] : look.sleepers) {
    const uint64_t now = record->state.load();
    const bool same_wait =
        PhaseIn(now) == Phase::kSleeping && NumberOf(now) == number && TagOf(now) == TagOf(before);
    if (look.dead != dead || !same_wait) {
      look = {dead, sleepers};
      return false;
    }
    // One that has died in this sleep will never say so. If it had the lock, a dead one has it.
    const bool is_dead = std::find(all_dead.begin(), all_dead.end(),
                                   Seen::value_type{record, now}) != all_dead.end();
    in_vain = in_vain && (is_dead || now != before);
  }
  if (in_vain) looks_.erase(found);
  return in_vain;
}

bool HolderTable::TakeOver(const DeadHolder& dead, Record* own) noexcept {
  if (!Move(own, Phase::kIdle, Phase::kTaking)) return false;
  Step();
  if (!Reap(dead)) {
    Move(own, Phase::kTaking, Phase::kIdle);
    return false;
  }
  Step();
  Move(own, Phase::kTaking, Phase::kHolding);
  Step();
  // The others that died between two phases did not have it.
  for (auto& [record, state] : Collect(NumberOf(dead.state))) {
    uint64_t expected = state;
    if (record != own && IsBetween(PhaseIn(state)) && IsDead(*record))
      record->state.compare_exchange_strong(expected, 0);
  }
  return true;
}

bool HolderTable::ForgetDeadTakers(uint32_t number, const NamedSemaphore& semaphore) noexcept {
  Seen dead = Collect(number);
  std::erase_if(dead, [](const auto& each) {
    const Phase phase = PhaseIn(each.second);
    return !(IsBetween(phase) || IsHolding(phase)) || !IsDead(*each.first);
  });
  Step();
  // Asked after that: what these had when they died, they have now.
  const bool is_elsewhere = semaphore.Value() > 0 || HasLiveHolder(number);
  bool undecided = false;
  for (auto& [record, state] : dead) {
    if (is_elsewhere && IsBetween(PhaseIn(state))) {
      record->state.compare_exchange_strong(state, 0);
    } else {
      undecided = true;
    }
  }
  return undecided;
}

bool HolderTable::HasLiveHolder(uint32_t number) noexcept {
  bool found = false;
  ForEach(number, [&](Record& record, uint64_t state) {
    found = IsHolding(PhaseIn(state)) && !IsDead(record);
    return !found;
  });
  return found;
}

std::vector<HolderTable::Holding> HolderTable::Holdings() noexcept {
  std::vector<Holding> found;
  for (Record& record : Records()) {
    const uint64_t state = record.state.load();
    if (state != 0 && IsHolding(PhaseIn(state)))
      found.push_back({NumberOf(state), record.pid.load()});
  }
  return found;
}

uint32_t HolderTable::ReapDeadWaiters(uint32_t number) noexcept {
  uint32_t reaped = 0;
  ForEach(number, [&](Record& record, uint64_t state) {
    const Phase phase = PhaseIn(state);
    const bool dead =
        phase == Phase::kOrphanedWaiters || (phase == Phase::kWaiting && IsDead(record));
    if (dead && record.state.compare_exchange_strong(state, 0)) reaped += CountOf(state);
    return true;
  });
  return reaped;
}

int64_t HolderTable::SumSlots(uint32_t number, uint64_t* seal) noexcept {
  int64_t sum = 0;
  uint64_t mixed = 0;
  ForEach(number, [&](Record&, uint64_t state) {
    const Phase phase = PhaseIn(state);
    // It may have taken a slot. If it has not, one slot less is found missing, until it wakes.
    if (phase == Phase::kSleeping) sum++;
    const bool counts = phase == Phase::kReserved || phase == Phase::kCounting;
    if (!counts && phase != Phase::kLeft) return true;
    const bool unknown = phase == Phase::kCounting || SlotsOf(state) == kMostSlots;
    if (unknown) sum = -EAGAIN;
    if (sum >= 0) sum += SlotsOf(state);
    mixed = (mixed + state) * 0x9e3779b97f4a7c15;
    return sum >= 0;
  });
  *seal = mixed;
  return sum;
}

HolderTable::DeadSlots HolderTable::ReapDeadSlots(uint32_t number, bool leave) noexcept {
  DeadSlots found;
  ForEach(number, [&](Record& record, uint64_t state) {
    const Phase phase = PhaseIn(state);
    if (phase == Phase::kSleeping && IsDead(record)) record.state.compare_exchange_strong(state, 0);
    if ((phase != Phase::kReserved && phase != Phase::kCounting) || !IsDead(record)) return true;
    const bool remains = leave && SlotsOf(state) > 0;
    const uint64_t after =
        remains ? PackSlots(number, SlotTurnOf(state), Phase::kLeft, SlotsOf(state)) : 0;
    if (!record.state.compare_exchange_strong(state, after)) return true;
    Step();
    const bool changing = phase == Phase::kCounting && SlotsOf(state) > 0;
    const uint32_t slots = SlotsOf(state) - (changing ? 1 : 0);
    found.all += slots;
    if (IsOfPython(record)) found.of_python += slots;
    return true;
  });
  return found;
}

void HolderTable::AcceptAgain(uint32_t number, uint32_t items) noexcept {
  ForEach(number, [&](Record& record, uint64_t state) {
    if (PhaseIn(state) != Phase::kNoting) return true;
    const uint64_t after =
        PackSlots(number, SlotTurnOf(state) + 1, Phase::kReserved, SlotsOf(state) + items);
    record.state.compare_exchange_strong(state, after);
    Step();
    return true;
  });
}

HolderTable::Left HolderTable::FindLeft(uint32_t number) noexcept {
  Left found;
  const Record* const first = Records().data();
  ForEach(number, [&](Record& record, uint64_t state) {
    if (PhaseIn(state) != Phase::kLeft) return true;
    const auto place = static_cast<uint64_t>(&record - first) + 1;
    found = {place << 32 | (state & UINT32_MAX), SlotsOf(state)};
    return false;
  });
  return found;
}

void HolderTable::RemoveLeft(uint32_t number, uint64_t left) noexcept {
  const uint64_t place = (left >> 32) - 1;
  const std::span<Record> records = Records();
  uint64_t state = uint64_t{number} << 32 | (left & UINT32_MAX);
  if (place < records.size()) records[place].state.compare_exchange_strong(state, 0);
}

}  // namespace mp
