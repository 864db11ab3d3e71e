// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "leases/lease_table.h"
#include "leases/lease_waking.h"
#include "queue/queue_message.h"

namespace mp {

// Numbers of a queue with leases at one moment.
struct LeaseCounts {
  uint64_t waiting = 0;     // Items that can be got, or are for the dead letters.
  uint64_t places = 0;      // Places that are taken.
  uint64_t unfinished = 0;  // Items that wait or are leased.
  uint32_t woken = 0;       // Members that were woken and have not looked: `freed` is readable.
};
LeaseCounts CountsOf(const LeaseBlock& block) noexcept;

// A queue with leases as one environment uses it, whose thread alone calls this. Each call that
// needs the lock returns -EBUSY if another member keeps it for longer than a few milliseconds: that
// member is stopped, since its holder does nothing that takes long. The lock of a dead holder is
// taken over, and what it has left is put right.
class LeaseMember {
 public:
  struct Item {
    uint64_t receipt = 0;  // Names the lease; receipts of one member grow.
    uint64_t length = 0;
    uint32_t deliveries = 0;
    bool dead = false;                 // It is for the dead letters.
    const uint8_t* payload = nullptr;  // Until the lease ends.
  };

  struct Holder {
    uint32_t pid = 0;
    uint32_t thread = 0;
    uint64_t items = 0;
    uint64_t milliseconds = 0;  // Since the oldest of these items was handed out.
  };

  // `ready` has a byte while an item waits, or once the queue is shut down; `freed` while a member
  // was woken that has not looked yet. `thread` is for reports. 0 or -errno (EUSERS).
  static int Join(const std::shared_ptr<LeaseBlock>& block, LeasePipe ready, LeasePipe freed,
                  uint32_t thread, std::unique_ptr<LeaseMember>* out);
  // What this member has leased is handed out again.
  ~LeaseMember();
  LeaseMember(const LeaseMember&) = delete;
  LeaseMember& operator=(const LeaseMember&) = delete;

  // 0 once the item is in the shared memory. -EAGAIN when there is no room: `freed` tells when
  // there may be. -EMSGSIZE, kShutDown, kQueueBroken.
  int Put(const QueueItem& item);
  // Takes the next item. -EAGAIN when there is none: `ready` tells when there may be. kShutDown,
  // kQueueBroken. With `letters` also those for the dead letters.
  int Get(bool letters, Item* out);
  // The item of a lease. -ESRCH if there is no such lease.
  int Find(uint64_t receipt, Item* out) const;
  // Ends a lease, for 0 the oldest one that is not for the dead letters: the item is finished, or
  // is handed out again. -ESRCH if there is no such lease.
  int End(uint64_t receipt, bool finished);
  // 0 if no item is unfinished, else -EAGAIN: `freed` tells when that may be so.
  int Finished();
  // This member does not wait for it any more.
  void Forget(leases::Want want) noexcept;
  // Hands out again what dead members have leased.
  int Check();
  // Who has items, and how many wait to be handed out.
  int Report(std::vector<Holder>* holders, uint64_t* waiting);

  uint32_t flags() const noexcept { return header().flags.load(std::memory_order_acquire); }
  // Adds flags of QueueState, and wakes the members that wait.
  void AddFlags(uint32_t flags) noexcept;

 private:
  LeaseMember(const std::shared_ptr<LeaseBlock>& block, LeasePipe ready, LeasePipe freed,
              uint32_t index) noexcept
      : table_(block), waking_(block, std::move(ready), std::move(freed)), index_(index) {}

  leases::Header& header() const noexcept { return table_.header(); }
  leases::MemberEntry& entry() const noexcept { return table_.block().member(index_); }

  int Lock();
  bool IsDeadHolder(uint64_t holder) const noexcept;
  void Unlock() noexcept;
  void TakeOver();
  int EndOf() const noexcept;
  void Describe(uint64_t receipt, leases::Chunk& chunk, Item* out) const noexcept;
  void Sweep(bool leaves = false);
  bool SweepIfDue();
  void FreeChunk(leases::Chunk& chunk) noexcept;

  LeaseTable table_;
  LeaseWaking waking_;
  const uint32_t index_;
  uint64_t last_receipt_ = 0;
  uint64_t swept_at_ = 0;
  std::map<uint64_t, uint64_t> leases_;   // Offsets of chunks by receipts.
  std::map<uint64_t, uint64_t> letters_;  // The same of items on their way to the dead letters.
  std::vector<uint64_t> unfilled_;        // Chunks to be freed with the next lock.
};

}  // namespace mp
