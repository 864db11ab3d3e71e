// SPDX-License-Identifier: MIT
//
// Notifications that were left for waiters of a condition.
#include <algorithm>

#include "semaphores/holder_table.h"

namespace mp {

using namespace holder_state;

uint32_t HolderTable::CountWaiting(uint32_t number) noexcept {
  uint32_t waiting = 0;
  ForEach(number, [&](Record&, uint64_t state) {
    if (PhaseIn(state) == Phase::kWaiting) waiting += CountOf(state);
    return true;
  });
  return waiting;
}

uint32_t HolderTable::CountWithoutTag(uint32_t number) noexcept {
  uint32_t waiting = 0;
  ForEach(number, [&](Record& record, uint64_t state) {
    const bool plain = PhaseIn(state) == Phase::kWaiting && TagOf(state) == 0;
    if (plain && !IsDead(record)) waiting += CountOf(state);
    return true;
  });
  return waiting;
}

bool HolderTable::IsWaiting(uint32_t number, uint32_t tag) noexcept {
  bool waiting = false;
  ForEach(number, [&](Record& record, uint64_t state) {
    waiting = PhaseIn(state) == Phase::kWaiting && TagOf(state) == tag && !IsDead(record);
    return !waiting;
  });
  return waiting;
}

uint32_t HolderTable::NotificationsFor(uint32_t number, uint32_t tag) noexcept {
  uint32_t count = 0;
  ForEach(number, [&](Record&, uint64_t state) {
    if (PhaseIn(state) == Phase::kNotified && TagOf(state) == tag) count += CountOf(state);
    return true;
  });
  return count;
}

// Always a record of its own, which its takers only ever lower.
bool HolderTable::AddNotifications(uint32_t number, uint32_t tag, uint32_t count) noexcept {
  return Put(Pack(number, tag, Phase::kNotified, count)) != nullptr;
}

uint32_t HolderTable::LeaveNotifications(uint32_t number, uint32_t most) noexcept {
  uint32_t left = 0;
  ForEach(number, [&](Record& record, uint64_t state) {
    const bool looks = PhaseIn(state) == Phase::kWaiting && TagOf(state) != 0;
    if (!looks || IsDead(record)) return true;
    const uint32_t has = NotificationsFor(number, TagOf(state));
    const uint32_t count = std::min(most - left, CountOf(state) - std::min(has, CountOf(state)));
    if (count > 0 && AddNotifications(number, TagOf(state), count)) left += count;
    return left < most;
  });
  return left;
}

// The tag of the waiter to whom a notification belongs must match.
template <typename Matches>
bool HolderTable::TakeOneNotification(uint32_t number, Matches matches) noexcept {
  bool taken = false;
  ForEach(number, [&](Record& notified, uint64_t state) {
    if (PhaseIn(state) != Phase::kNotified || !matches(TagOf(state))) return true;
    const uint32_t rest = CountOf(state) - 1;
    const uint64_t lowered = rest == 0 ? 0 : Pack(number, TagOf(state), Phase::kNotified, rest);
    taken = notified.state.compare_exchange_strong(state, lowered);
    return !taken;
  });
  return taken;
}

bool HolderTable::TakeNotification(uint32_t number, const Record* record) noexcept {
  const uint32_t own = record->tag.load(std::memory_order_relaxed) & 0xffff;
  return TakeOneNotification(number,
                             [&](uint32_t tag) { return tag == own || !IsWaiting(number, tag); });
}

bool HolderTable::TakeSurplusNotification(uint32_t number, const Record* record,
                                          uint32_t calls) noexcept {
  const uint32_t own = record->tag.load(std::memory_order_relaxed) & 0xffff;
  return NotificationsFor(number, own) > calls &&
         TakeOneNotification(number, [&](uint32_t tag) { return tag == own; });
}

uint32_t HolderTable::CountNotified(uint32_t number) noexcept {
  uint32_t count = 0;
  ForEach(number, [&](Record&, uint64_t state) {
    if (PhaseIn(state) == Phase::kNotified && IsWaiting(number, TagOf(state))) {
      count += CountOf(state);
    }
    return true;
  });
  return count;
}

uint32_t HolderTable::TakeOrphanedNotifications(uint32_t number) noexcept {
  uint32_t taken = 0;
  ForEach(number, [&](Record& notified, uint64_t state) {
    if (PhaseIn(state) == Phase::kNotified && !IsWaiting(number, TagOf(state)) &&
        notified.state.compare_exchange_strong(state, 0)) {
      taken += CountOf(state);
    }
    return true;
  });
  return taken;
}

}  // namespace mp
