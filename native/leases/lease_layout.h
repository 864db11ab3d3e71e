// SPDX-License-Identifier: MIT
//
// The memory that the members of a queue with leases share: a header, a table of members, and the
// items, each in a chunk of its own. The chunks lie one behind the other without a gap.
//
// The sizes and the states of the chunks are the truth. Each changes by one store, so a process
// that is killed leaves every item in one state. All else in the header (lists, counts, marks)
// follows from them, and is made anew when the holder of the lock has died.
#pragma once

#include <atomic>
#include <cstdint>

namespace mp::leases {

inline constexpr uint64_t kMagic = 0x3173657361656c6d;
inline constexpr uint64_t kUnit = 64;  // Chunks begin at multiples of this.
inline constexpr uint32_t kMaxMembers = 1024;

enum class State : uint8_t {
  kFree = 0,
  kFilling = 1,   // Its owner, a producer, copies the payload.
  kQueued = 2,    // It was put and never handed out.
  kReturned = 3,  // It was handed out and came back.
  kDead = 4,      // It came back for the last time: it is to go to the dead letters.
  kLeased = 5,    // Its owner, a consumer, has it.
};

// What a member waits for.
enum Want : uint32_t {
  kRoom = 1,  // A place and enough bytes for an item.
  kIdle = 2,  // That no item is unfinished.
};
inline constexpr uint32_t kAllWants = kRoom | kIdle;

struct Chunk {
  // Owner, deliveries and state.
  std::atomic<uint64_t> word;
  // To the next chunk, this header included.
  std::atomic<uint64_t> size;
  uint64_t length;  // Of the payload, which follows the header.
  uint64_t number;  // Counts the items in the order in which they were put.
  uint64_t since;   // When it was handed out, in milliseconds of the monotonic clock.
  uint64_t next;    // In the list that it is on.
  uint64_t reserved[2];

  uint8_t* payload() noexcept { return reinterpret_cast<uint8_t*>(this + 1); }
};
static_assert(sizeof(Chunk) == kUnit);

constexpr uint64_t PackWord(State state, uint32_t owner, uint32_t deliveries) noexcept {
  return uint64_t{deliveries} << 32 | uint64_t{owner} << 8 | static_cast<uint64_t>(state);
}
inline State StateOf(uint64_t word) noexcept { return static_cast<State>(word & 0xff); }
inline uint32_t OwnerOf(uint64_t word) noexcept { return static_cast<uint32_t>(word) >> 8; }
inline uint32_t DeliveriesOf(uint64_t word) noexcept { return static_cast<uint32_t>(word >> 32); }

// A list of chunks, by their offsets. No chunk has the offset 0.
struct List {
  uint64_t head;
  uint64_t tail;
  uint64_t count;
};

// A queue object of one environment. An entry is claimed and given up by compare-and-swap of its
// state; the rest is written by its owner before it is live, or with the lock.
struct MemberEntry {
  std::atomic<uint64_t> state;
  uint64_t start;  // With `space` and the pid: platform::ProcessIdentity.
  uint64_t space;
  uint32_t pid;
  uint32_t thread;  // Node's number of the thread, for reports.
  // What it waits for, and what it was woken for and has not looked for since. A kind of wait that
  // moves from one to the other is in both for a moment, and never in none.
  std::atomic<uint32_t> wants;
  std::atomic<uint32_t> woken;
  uint64_t reserved[3];
};
static_assert(sizeof(MemberEntry) == kUnit);

struct Header {
  std::atomic<uint64_t> magic;
  uint64_t bytes;           // Of all chunks together.
  uint64_t capacity;        // The longest payload.
  uint64_t places;          // The most items that were put and never handed out; 0 for no limit.
  uint32_t max_deliveries;  // 0 for no limit.
  std::atomic<uint32_t> flags;  // Those of QueueState.

  // The holder: the index of its entry plus 1, and the number of its claim above; or 0. There is no
  // moment at which it is not known.
  std::atomic<uint64_t> lock;
  std::atomic<uint32_t> claims;
  std::atomic<uint32_t> members_used;  // No entry behind these was ever in use.
  std::atomic<uint64_t> last_number;

  // With the lock, from here on. Some counts are also read without it.
  List queued;
  List returned;
  List dead;
  std::atomic<uint64_t> filling;
  std::atomic<uint64_t> unfinished;
  std::atomic<uint64_t> waiting;        // On the lists.
  std::atomic<uint64_t> waiting_first;  // On the list `queued`.
  uint64_t free_bytes;
  uint64_t rover;         // Where the search for a free chunk goes on.
  uint32_t wanting;       // A superset of what the members want.
  uint32_t ready_marked;  // Whether there is a byte in the pipe for consumers.
  uint32_t freed_marked;  // Whether there is a byte in the pipe for the members that were woken.
  std::atomic<uint32_t> woken;  // How many marks `woken` the members have.

  std::atomic<uint64_t> got;         // How often an item was handed out.
  std::atomic<uint64_t> recoveries;  // How often the lock was taken over from a dead holder.
};

inline constexpr uint64_t kMembersOffset = 4096;
inline constexpr uint64_t kChunksOffset = kMembersOffset + kMaxMembers * sizeof(MemberEntry);
static_assert(sizeof(Header) <= kMembersOffset);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace mp::leases
