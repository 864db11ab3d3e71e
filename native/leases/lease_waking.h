// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "io/endpoint.h"
#include "leases/lease_block.h"

namespace mp {

// A pipe of which only matters whether there is a byte in it.
struct LeasePipe {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;
};

// How the members of a queue with leases wake each other. `ready` has a byte while an item waits,
// or once the queue is shut down; `freed` while a member was woken that has not looked yet. All
// that changes marks needs the queue's lock.
class LeaseWaking {
 public:
  LeaseWaking(std::shared_ptr<LeaseBlock> block, LeasePipe ready, LeasePipe freed) noexcept
      : block_(std::move(block)), ready_(std::move(ready)), freed_(std::move(freed)) {}

  // An item waits, or, unless the queue was shut down, none does.
  void MarkReady() noexcept;
  void UnmarkReady() noexcept;
  // Wakes the members that wait for one of these.
  void WakeFor(uint32_t wants) noexcept;
  // After a member has died with the lock: all look again.
  void WakeAll() noexcept;
  // A member looks for what it was woken for. Once all have looked, `freed` wakes no member any
  // more.
  void ClearWoken(leases::MemberEntry& member, uint32_t bits) noexcept;
  void SettleFreed() noexcept;

  // Without the lock, for a shutdown, which leaves its bytes.
  void RingReady() noexcept;
  void RingFreed() noexcept;

 private:
  leases::Header& header() const noexcept { return block_->header(); }

  std::shared_ptr<LeaseBlock> block_;
  LeasePipe ready_;
  LeasePipe freed_;
};

}  // namespace mp
