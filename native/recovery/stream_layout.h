// SPDX-License-Identifier: MIT
//
// Where in a queue's pipe its members are, in a block of memory that they share. The writer, which
// holds `wlock`, notes how much it is about to write and where each item ends; the reader, which
// holds `rlock`, how much it is about to read. If one of them dies at any instruction, the next
// holder of its lock finds out from these numbers and from the number of bytes in the pipe what was
// moved, and goes on at the boundary of two items. The pipe is never drained.
//
// All words are little-endian. docs/internals.md describes the steps, which Python members follow
// too, and why the numbers suffice.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mp {

struct StreamLayout {
  static constexpr uint64_t kMagic = 0x316d72747371706d;  // "mpqstrm1"
  static constexpr uint64_t kEntries = 4096;
  // So many items can be noted at once. One entry less, since the end of the item before the first
  // one of them is needed too.
  static constexpr uint64_t kMaxItems = kEntries - 1;
  // In an entry: the writer of the item has died inside of it. The entry's end is where its bytes
  // end, and they are dropped.
  static constexpr uint64_t kTorn = uint64_t{1} << 63;

  std::atomic<uint64_t> magic;
  // Not 0: a process that does not keep this record may use the queue. The numbers below are those
  // of the moment at which that was said, or later ones.
  std::atomic<uint32_t> unrecorded;
  uint32_t reserved_0[13];

  // Changed with `wlock` only.
  alignas(64) std::atomic<uint64_t> written;  // Bytes written in total.
  std::atomic<uint64_t> write_intent;         // Bytes of the write in flight; 0 if there is none.
  std::atomic<uint64_t> head;                 // Items noted in total.
  // While a writer notes items that count as accepted, or takes them back: what `head` is with
  // them. Else 0. See SettleNoting().
  std::atomic<uint64_t> noting;
  std::atomic<uint64_t> lost_by_python_writers;
  std::atomic<uint64_t> recoveries_by_python_writers;
  uint64_t reserved_1[2];

  // Changed with `rlock` only.
  alignas(64) std::atomic<uint64_t> read;  // Bytes read in total.
  std::atomic<uint64_t> read_intent;       // Bytes of the read in flight; 0 if there is none.
  std::atomic<uint64_t> tail;              // Items read or dropped in total.
  std::atomic<uint64_t> dropped;           // Of these, the dropped ones.
  std::atomic<uint64_t> lost_by_python_readers;
  std::atomic<uint64_t> recoveries_by_python_readers;
  uint64_t reserved_2[2];

  // Changed by any member, by atomic addition. Python has none, so what its members add has words
  // of its own, each of which changes with one lock.
  alignas(64) std::atomic<uint64_t> lost;  // Items that were put and that no member can get.
  std::atomic<uint64_t> recoveries;        // How often the numbers were set right.
  // Set by a writer before it sleeps on the low half of `tail`, since no entry is free.
  std::atomic<uint32_t> writer_sleeps;
  // Not 0: items were finished by members that had not got them. Then no item counts as finished
  // because a consumer has died.
  std::atomic<uint32_t> finished_elsewhere;
  // How many items are unfinished that members had got which are gone, or that could not be
  // written, less those that were finished by members that had not got them.
  std::atomic<int64_t> in_other_hands;
  // Of the latter, those that Python members have finished. Changed with the lock of the queue's
  // condition.
  std::atomic<uint64_t> finished_by_python;
  // With both locks only: see QueueAccounts::FoldLeft().
  std::atomic<uint64_t> left;        // As `in_other_hands`, from records that are gone.
  std::atomic<uint64_t> left_after;  // What `left` is with the record that is being added.
  std::atomic<uint64_t> folding;     // Which record that is: HolderTable::Left; 0 if there is none.

  // Entry i % kEntries: the offset in the stream at which item i ends, and kTorn.
  alignas(64) std::atomic<uint64_t> ends[kEntries];
};

static_assert(offsetof(StreamLayout, unrecorded) == 8);
static_assert(offsetof(StreamLayout, written) == 64);
static_assert(offsetof(StreamLayout, lost_by_python_writers) == 96);
static_assert(offsetof(StreamLayout, read) == 128);
static_assert(offsetof(StreamLayout, lost_by_python_readers) == 160);
static_assert(offsetof(StreamLayout, lost) == 192);
static_assert(offsetof(StreamLayout, writer_sleeps) == 208);
static_assert(offsetof(StreamLayout, in_other_hands) == 216);
static_assert(offsetof(StreamLayout, folding) == 248);
static_assert(offsetof(StreamLayout, ends) == 256);
static_assert(sizeof(StreamLayout) == 256 + 8 * StreamLayout::kEntries);

}  // namespace mp
