// SPDX-License-Identifier: MIT
#include "leases/lease_member.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "leases/lease_members.h"
#include "queue/queue_state.h"
#include "util/status.h"

namespace mp {

using leases::Chunk;
using leases::Header;
using leases::MemberEntry;
using leases::State;
using leases::Want;

namespace {

using Clock = std::chrono::steady_clock;

// The holder of the lock needs microseconds. On a busy machine it may have to wait for a processor.
constexpr std::chrono::milliseconds kPatience{3};

// Trying so often takes about as long as asking whether the holder has died.
constexpr int kTriesBeforeAsking = 64;

// A longer payload is copied without the lock.
constexpr uint64_t kMostCopiedWithLock = 16 * 1024;

// How often a member that finds nothing looks for dead members.
constexpr uint64_t kSweepMs = 500;

uint64_t NowMs() noexcept {
  const auto now = Clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

void Copy(const QueueItem& item, Chunk& chunk) noexcept {
  if (item.prefix_size > 0) std::memcpy(chunk.payload(), item.prefix, item.prefix_size);
  if (item.size > 0) std::memcpy(chunk.payload() + item.prefix_size, item.payload, item.size);
}

}  // namespace

LeaseCounts CountsOf(const LeaseBlock& block) noexcept {
  const Header& header = block.header();
  constexpr auto kOrder = std::memory_order_relaxed;
  return {header.waiting.load(kOrder),
          header.waiting_first.load(kOrder) + header.filling.load(kOrder),
          header.unfinished.load(kOrder), header.woken.load(kOrder)};
}

int LeaseMember::Join(const std::shared_ptr<LeaseBlock>& block, LeasePipe ready, LeasePipe freed,
                      uint32_t thread, std::unique_ptr<LeaseMember>* out) {
  int index = leases::ClaimMember(*block, thread);
  if (index < 0) {
    // Most of so many members are dead ones that no living one has looked for.
    const int spare = leases::ClaimSpare(*block);
    if (spare < 0) return spare;
    (void)LeaseMember(block, ready, freed, static_cast<uint32_t>(spare)).Check();
    index = leases::ClaimMember(*block, thread);
    if (index < 0) return index;
  }
  out->reset(
      new LeaseMember(block, std::move(ready), std::move(freed), static_cast<uint32_t>(index)));
  return 0;
}

// The member counts as living until it has released the lock: the others take over that of a dead
// one, and its entry must not be claimed.
LeaseMember::~LeaseMember() {
  if (Lock() < 0) {
    // The next sweep of another member does the rest.
    leases::EndMember(entry());
    return;
  }
  Sweep(true);
  Unlock();
  leases::FreeMember(entry(), entry().state.load());
}

// The lock says at each moment which member has it, so the death of any holder is noticed. With the
// number of the claim, so that a member which has found a holder dead does not take the lock of a
// later one with the same entry.
int LeaseMember::Lock() {
  std::atomic<uint64_t>& lock = header().lock;
  const uint64_t mine = uint64_t{leases::ClaimOf(entry())} << 32 | (index_ + 1);
  Clock::time_point give_up{};
  for (int tries = 1;; tries++) {
    uint64_t holder = 0;
    if (lock.compare_exchange_strong(holder, mine, std::memory_order_acquire)) break;
    if (tries % kTriesBeforeAsking == 0) {
      if (IsDeadHolder(holder) &&
          lock.compare_exchange_strong(holder, mine, std::memory_order_acquire)) {
        TakeOver();
        break;
      }
      const Clock::time_point now = Clock::now();
      if (tries == kTriesBeforeAsking) give_up = now + kPatience;
      if (now >= give_up) return -EBUSY;
    }
    std::this_thread::yield();
  }
  if ((flags() & QueueState::kBroken) != 0) {
    Unlock();
    return kQueueBroken;
  }
  for (const uint64_t at : unfilled_) FreeChunk(table_.block().chunk(at));
  unfilled_.clear();
  return 0;
}

bool LeaseMember::IsDeadHolder(uint64_t holder) const noexcept {
  const auto index = static_cast<uint32_t>(holder);
  if (index == 0 || index > leases::kMaxMembers) return holder != 0;
  return leases::DeadState(table_.block().member(index - 1)) != 0;
}

void LeaseMember::Unlock() noexcept { header().lock.store(0, std::memory_order_release); }

// What follows from the states of the items is made anew, and all members look again.
void LeaseMember::TakeOver() {
  Header& header = this->header();
  header.recoveries.fetch_add(1);
  if (!table_.Rebuild()) {
    header.flags.fetch_or(QueueState::kBroken);
    header.ready_marked = 0;
    waking_.MarkReady();
    return;
  }
  waking_.WakeAll();
  Sweep();
}

// Why nothing can be got any more; 0 while something can.
int LeaseMember::EndOf() const noexcept {
  const uint32_t flags = this->flags();
  if ((flags & QueueState::kBroken) != 0) return kQueueBroken;
  return (flags & QueueState::kDropped) != 0 ? kShutDown : 0;
}

int LeaseMember::Put(const QueueItem& item) {
  const uint32_t flags = this->flags();
  if (flags != 0) return (flags & QueueState::kBroken) != 0 ? kQueueBroken : kShutDown;
  const uint64_t length = item.prefix_size + item.size;
  if (length > header().capacity) return -EMSGSIZE;
  int status = Lock();
  if (status < 0) return status;
  waking_.ClearWoken(entry(), Want::kRoom);
  Chunk* chunk = table_.Allocate(length, index_);
  if (chunk == nullptr) {
    entry().wants.fetch_or(Want::kRoom);
    header().wanting |= Want::kRoom;
    Unlock();
    return -EAGAIN;
  }
  if (length > kMostCopiedWithLock) {
    Unlock();
    Copy(item, *chunk);
    status = Lock();
    if (status < 0) {
      unfilled_.push_back(table_.block().OffsetOf(*chunk));
      return status;
    }
  } else {
    Copy(item, *chunk);
  }
  table_.Enqueue(*chunk);
  waking_.MarkReady();
  Unlock();
  return 0;
}

int LeaseMember::Get(bool letters, Item* out) {
  int status = EndOf();
  if (status == 0) status = Lock();
  if (status < 0) return status;
  const uint64_t now = NowMs();
  Chunk* chunk = table_.Take(index_, letters, now);
  if (chunk == nullptr && SweepIfDue()) chunk = table_.Take(index_, letters, now);
  Header& header = this->header();
  if (chunk == nullptr) {
    waking_.UnmarkReady();
    Unlock();
    return (this->flags() & QueueState::kIsShutDown) != 0 ? int{kShutDown} : -EAGAIN;
  }
  if (header.places > 0) waking_.WakeFor(Want::kRoom);
  Unlock();
  Describe(++last_receipt_, *chunk, out);
  (out->dead ? letters_ : leases_).emplace(last_receipt_, table_.block().OffsetOf(*chunk));
  return 0;
}

void LeaseMember::Describe(uint64_t receipt, Chunk& chunk, Item* out) const noexcept {
  const uint32_t most = header().max_deliveries;
  out->receipt = receipt;
  out->length = chunk.length;
  out->deliveries = leases::DeliveriesOf(chunk.word.load(std::memory_order_relaxed));
  out->dead = most > 0 && out->deliveries > most;
  out->payload = chunk.payload();
}

int LeaseMember::Find(uint64_t receipt, Item* out) const {
  const bool dead = letters_.contains(receipt);
  const auto found = dead ? letters_.find(receipt) : leases_.find(receipt);
  if (!dead && found == leases_.end()) return -ESRCH;
  Describe(receipt, table_.block().chunk(found->second), out);
  return 0;
}

int LeaseMember::End(uint64_t receipt, bool finished) {
  // The oldest lease is one of the caller's, which knows nothing of dead letters.
  std::map<uint64_t, uint64_t>& held = letters_.contains(receipt) ? letters_ : leases_;
  const auto found = receipt == 0 ? held.begin() : held.find(receipt);
  if (found == held.end()) return -ESRCH;
  const int status = Lock();
  if (status < 0) return status;
  Chunk& chunk = table_.block().chunk(found->second);
  held.erase(found);
  if (finished) {
    FreeChunk(chunk);
  } else {
    table_.Return(chunk);
    waking_.MarkReady();
  }
  Unlock();
  return 0;
}

int LeaseMember::Finished() {
  const int status = Lock();
  if (status < 0) return status;
  waking_.ClearWoken(entry(), Want::kIdle);
  const bool finished = header().unfinished.load(std::memory_order_relaxed) == 0;
  if (!finished) {
    entry().wants.fetch_or(Want::kIdle);
    header().wanting |= Want::kIdle;
    // A shutdown may have left a byte of which no mark tells.
    if (flags() != 0) header().freed_marked = 1;
    waking_.SettleFreed();
  }
  Unlock();
  return finished ? 0 : -EAGAIN;
}

void LeaseMember::Forget(Want want) noexcept {
  if (Lock() < 0) return;
  waking_.ClearWoken(entry(), want);
  entry().wants.fetch_and(~uint32_t{want});
  Unlock();
}

int LeaseMember::Check() {
  const int status = Lock();
  if (status < 0) return status;
  Sweep();
  // A member that could not bury the dead letters may have taken the byte.
  if (header().waiting.load(std::memory_order_relaxed) > 0) waking_.MarkReady();
  Unlock();
  return 0;
}

int LeaseMember::Report(std::vector<Holder>* holders, uint64_t* waiting) {
  const int status = Lock();
  if (status < 0) return status;
  const uint64_t now = NowMs();
  std::map<uint32_t, Holder> by_owner;
  table_.ForEach([&](const Chunk& chunk, uint64_t word) {
    if (leases::StateOf(word) != State::kLeased) return;
    Holder& holder = by_owner[leases::OwnerOf(word)];
    holder.items++;
    holder.milliseconds = std::max(holder.milliseconds, now - std::min(now, chunk.since));
  });
  for (auto& [owner, holder] : by_owner) {
    const MemberEntry& member = table_.block().member(owner);
    holder.pid = member.pid;
    holder.thread = member.thread;
    holders->push_back(holder);
  }
  *waiting = header().waiting.load(std::memory_order_relaxed);
  Unlock();
  return 0;
}

// Without the lock, which a stopped member may have: what it has stopped in is of no importance any
// more.
void LeaseMember::AddFlags(uint32_t flags) noexcept {
  header().flags.fetch_or(flags);
  waking_.RingReady();
  if (Lock() < 0) {
    waking_.RingFreed();
    return;
  }
  waking_.WakeFor(leases::kAllWants);
  Unlock();
}

bool LeaseMember::SweepIfDue() {
  if (NowMs() - swept_at_ < kSweepMs) return false;
  Sweep();
  return true;
}

// Takes back what dead members have, and gives up their entries. The same for this member if it
// leaves, but for its entry, which is the lock's.
void LeaseMember::Sweep(bool leaves) {
  swept_at_ = NowMs();
  const uint32_t used = header().members_used.load();
  // The states of the dead ones, 0 for others.
  std::vector<uint64_t> dead(used);
  for (uint32_t i = 0; i < used; i++) dead[i] = leases::DeadState(table_.block().member(i));
  if (leaves) dead[index_] = entry().state.load();
  if (std::all_of(dead.begin(), dead.end(), [](uint64_t state) { return state == 0; })) return;
  std::vector<Chunk*> unfilled;
  std::vector<Chunk*> leased;
  table_.ForEach([&](Chunk& chunk, uint64_t word) {
    const State state = leases::StateOf(word);
    const uint32_t owner = leases::OwnerOf(word);
    if (owner >= used || dead[owner] == 0) return;
    if (state == State::kFilling) unfilled.push_back(&chunk);
    if (state == State::kLeased) leased.push_back(&chunk);
  });
  for (Chunk* chunk : unfilled) FreeChunk(*chunk);
  std::sort(leased.begin(), leased.end(),
            [](const Chunk* a, const Chunk* b) { return a->number < b->number; });
  for (Chunk* chunk : leased) table_.Return(*chunk);
  if (!leased.empty()) waking_.MarkReady();
  for (uint32_t i = 0; i < used; i++) {
    if (dead[i] == 0) continue;
    MemberEntry& member = table_.block().member(i);
    waking_.ClearWoken(member, leases::kAllWants);
    member.wants.store(0);
    if (i != index_) leases::FreeMember(member, dead[i]);
  }
}

void LeaseMember::FreeChunk(Chunk& chunk) noexcept {
  waking_.WakeFor(table_.Free(chunk) ? leases::kAllWants : uint32_t{Want::kRoom});
}

}  // namespace mp
