// SPDX-License-Identifier: MIT
#include "leases/lease_waking.h"

#include <bit>
#include <chrono>
#include <thread>

#include "leases/lease_members.h"
#include "os/sys.h"

namespace mp {

using leases::Header;
using leases::MemberEntry;

namespace {

constexpr auto kOrder = std::memory_order_relaxed;

// Without the byte the members that wait would do so for ever, so a lack of memory must not keep it
// back.
void WriteByte(const LeasePipe& pipe) noexcept {
  uint8_t byte = 0;
  const iovec iov{&byte, 1};
  while (sys::IsShortage(pipe.writer->sink().Write(&iov, 1))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Drain(const LeasePipe& pipe) noexcept {
  uint8_t bytes[64];
  const iovec iov{bytes, sizeof bytes};
  ArrivedDescriptor none;
  while (pipe.reader->source().Read(&iov, 1, &none) == static_cast<ssize_t>(sizeof bytes)) {
  }
}

// What the member waits for of `wants`, it is woken for. Returns all that it was woken for.
uint32_t Wake(MemberEntry& member, uint32_t wants) noexcept {
  const uint32_t hit = member.wants.load() & wants;
  const uint32_t woken = member.woken.load() | hit;
  member.woken.store(woken);
  member.wants.fetch_and(~hit);
  return woken;
}

uint32_t CountOf(uint32_t bits) noexcept { return static_cast<uint32_t>(std::popcount(bits)); }

}  // namespace

void LeaseWaking::MarkReady() noexcept {
  if (std::exchange(header().ready_marked, 1) == 0) RingReady();
}

void LeaseWaking::UnmarkReady() noexcept {
  Header& header = this->header();
  if (header.ready_marked == 0 || header.flags.load() != 0) return;
  Drain(ready_);
  header.ready_marked = 0;
  // A shutdown needs no lock, and its byte stays.
  if (header.flags.load() != 0) RingReady();
}

void LeaseWaking::WakeFor(uint32_t wants) noexcept {
  Header& header = this->header();
  if ((header.wanting & wants) == 0) return;
  header.wanting &= ~wants;
  uint32_t woken = header.woken.load(kOrder);
  const uint32_t before = woken;
  for (uint32_t i = 0; i < header.members_used.load(); i++) {
    MemberEntry& member = block_->member(i);
    if ((member.wants.load() & wants) == 0 || !leases::IsInUse(member)) continue;
    woken -= CountOf(member.woken.load());
    woken += CountOf(Wake(member, wants));
  }
  if (woken == before) return;
  header.woken.store(woken, kOrder);
  if (std::exchange(header.freed_marked, 1) == 0) RingFreed();
}

void LeaseWaking::WakeAll() noexcept {
  Header& header = this->header();
  uint32_t woken = 0;
  for (uint32_t i = 0; i < header.members_used.load(); i++) {
    MemberEntry& member = block_->member(i);
    if (leases::IsInUse(member)) woken += CountOf(Wake(member, leases::kAllWants));
  }
  header.wanting = 0;
  header.woken.store(woken);
  // A byte too many does no harm. One too few would leave members asleep.
  RingFreed();
  header.freed_marked = 1;
  SettleFreed();
  RingReady();
  header.ready_marked = 1;
}

void LeaseWaking::ClearWoken(MemberEntry& member, uint32_t bits) noexcept {
  Header& header = this->header();
  const uint32_t cleared = CountOf(member.woken.load() & bits);
  if (cleared == 0) return;
  member.woken.fetch_and(~bits);
  header.woken.store(header.woken.load(kOrder) - cleared, kOrder);
  SettleFreed();
}

void LeaseWaking::SettleFreed() noexcept {
  Header& header = this->header();
  if (header.woken.load(kOrder) > 0 || header.freed_marked == 0) return;
  Drain(freed_);
  header.freed_marked = 0;
}

void LeaseWaking::RingReady() noexcept { WriteByte(ready_); }

void LeaseWaking::RingFreed() noexcept { WriteByte(freed_); }

}  // namespace mp
