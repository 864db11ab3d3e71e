// SPDX-License-Identifier: MIT
#include "leases/lease_members.h"

#include <sys/types.h>

#include <cerrno>
#include <csignal>

#include "os/processes.h"

namespace mp::leases {

namespace {

enum class Life : uint8_t {
  kUnused = 0,
  kClaiming = 1,  // The rest of the entry is not written yet.
  kLive = 2,
  kEnded = 3,
};

Life LifeOf(uint64_t state) noexcept { return static_cast<Life>(state & 0xff); }

// With the pid, and a number that differs between claims.
uint64_t Pack(Life life, uint32_t claim, uint32_t pid) noexcept {
  return uint64_t{pid} << 32 | uint64_t{claim & 0xffffff} << 8 | static_cast<uint64_t>(life);
}

uint64_t WithLife(uint64_t state, Life life) noexcept {
  return (state & ~uint64_t{0xff}) | static_cast<uint64_t>(life);
}

void Include(std::atomic<uint32_t>& used, uint32_t count) noexcept {
  uint32_t before = used.load();
  while (before < count && !used.compare_exchange_weak(before, count)) {
  }
}

int ClaimBetween(LeaseBlock& block, uint32_t first, uint32_t end, uint32_t thread) noexcept {
  const platform::ProcessIdentity self = platform::ThisProcess();
  Header& header = block.header();
  const uint32_t claim = header.claims.fetch_add(1) + 1;
  for (uint32_t index = first; index < end; index++) {
    MemberEntry& entry = block.member(index);
    uint64_t state = 0;
    const uint64_t claiming = Pack(Life::kClaiming, claim, self.pid);
    if (!entry.state.compare_exchange_strong(state, claiming)) continue;
    Include(header.members_used, index + 1);
    entry.start = self.start;
    entry.space = self.pid_namespace;
    entry.pid = self.pid;
    entry.thread = thread;
    entry.wants.store(0, std::memory_order_relaxed);
    entry.woken.store(0, std::memory_order_relaxed);
    // Fails if a process of another pid namespace has taken this one for dead.
    state = claiming;
    if (entry.state.compare_exchange_strong(state, WithLife(claiming, Life::kLive))) {
      return static_cast<int>(index);
    }
  }
  return -EUSERS;
}

}  // namespace

int ClaimMember(LeaseBlock& block, uint32_t thread) noexcept {
  return ClaimBetween(block, 0, kMaxMembers - 1, thread);
}

int ClaimSpare(LeaseBlock& block) noexcept {
  return ClaimBetween(block, kMaxMembers - 1, kMaxMembers, 0);
}

void EndMember(MemberEntry& entry) noexcept {
  entry.state.store(WithLife(entry.state.load(), Life::kEnded));
}

uint32_t ClaimOf(const MemberEntry& entry) noexcept {
  return static_cast<uint32_t>(entry.state.load() >> 8) & 0xffffff;
}

bool IsInUse(const MemberEntry& entry) noexcept {
  return LifeOf(entry.state.load()) != Life::kUnused;
}

uint64_t DeadState(const MemberEntry& entry) noexcept {
  const uint64_t state = entry.state.load();
  bool dead = false;
  switch (LifeOf(state)) {
    case Life::kClaiming:
      dead = ::kill(static_cast<pid_t>(state >> 32), 0) < 0 && errno == ESRCH;
      break;
    case Life::kLive:
      dead = platform::IsDead({entry.pid, entry.start, entry.space});
      break;
    case Life::kEnded:
      dead = true;
      break;
    case Life::kUnused:
      break;
  }
  return dead ? state : 0;
}

void FreeMember(MemberEntry& entry, uint64_t dead_state) noexcept {
  entry.state.compare_exchange_strong(dead_state, 0);
}

}  // namespace mp::leases
