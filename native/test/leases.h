// SPDX-License-Identifier: MIT
//
// A queue with leases in this process, and checks of its memory.
#pragma once

#include <fcntl.h>
#include <poll.h>

#include <map>
#include <memory>
#include <utility>

#include "check.h"
#include "leases/lease_member.h"
#include "pairs.h"
#include "receiving.h"

namespace mp::test {

using leases::Chunk;
using leases::State;

struct TestLeases {
  explicit TestLeases(const LeaseBlock::Limits& limits) : block_fd(LeaseBlock::Create(limits)) {
    Check(static_cast<bool>(block_fd), "LeaseBlock::Create");
    Equal(LeaseBlock::Open(block_fd.get(), &block), 0);
  }

  // The pipes are shared with processes that are forked, and within this one.
  std::unique_ptr<LeaseMember> Join() const {
    std::unique_ptr<LeaseMember> member;
    Equal(LeaseMember::Join(block, {ready.reader, ready.writer}, {freed.reader, freed.writer}, 0,
                            &member),
          0);
    return member;
  }

  leases::Header& header() const { return block->header(); }
  bool IsReady() const { return sys::IsReady(ready.reader->fd(), POLLIN); }
  bool IsFreed() const { return sys::IsReady(freed.reader->fd(), POLLIN); }

  // How many chunks are in each state. Fails if a list or a count does not follow from the states.
  std::map<State, uint64_t> Audit() const {
    const leases::Header& header = this->header();
    std::map<State, uint64_t> found;
    uint64_t free_bytes = 0;
    uint64_t bytes = 0;
    LeaseTable(block).ForEach([&](const Chunk& chunk, uint64_t word) {
      const uint64_t size = chunk.size.load();
      Check(size >= sizeof(Chunk) && size % leases::kUnit == 0, "the size of a chunk");
      bytes += size;
      found[leases::StateOf(word)]++;
      if (leases::StateOf(word) == State::kFree) free_bytes += size;
    });
    Equal(header.lock.load(), 0u, "the lock is free");
    Equal(bytes, header.bytes, "the chunks fill the block");
    Equal(header.free_bytes, free_bytes, "free bytes");
    Equal(header.filling.load(), found[State::kFilling], "items that are filled");
    Equal(header.unfinished.load(),
          found[State::kQueued] + found[State::kReturned] + found[State::kDead] +
              found[State::kLeased],
          "unfinished items");
    ExpectList(header.queued, State::kQueued, found);
    ExpectList(header.returned, State::kReturned, found);
    ExpectList(header.dead, State::kDead, found);
    Equal(header.waiting.load(), header.queued.count + header.returned.count + header.dead.count,
          "waiting");
    Equal(header.waiting_first.load(), header.queued.count);
    if (header.queued.count + header.returned.count > 0) Check(IsReady(), "consumers are told");
    Equal(IsFreed(), header.freed_marked != 0, "the mark of the pipe `freed`");
    uint32_t woken = 0;
    for (uint32_t i = 0; i < header.members_used.load(); i++)
      woken += static_cast<uint32_t>(std::popcount(block->member(i).woken.load()));
    Equal(header.woken.load(), woken, "members that were woken");
    return found;
  }

  UniqueFd block_fd;
  std::shared_ptr<LeaseBlock> block;
  EndpointPair ready{RawPipe(), IoMethod::kNoWait};
  EndpointPair freed{RawPipe(), IoMethod::kNoWait};

 private:
  void ExpectList(const leases::List& list, State state, std::map<State, uint64_t>& found) const {
    Equal(list.count, found[state], "the length of a list");
    uint64_t at = list.head;
    uint64_t last = 0;
    for (uint64_t i = 0; i < list.count; i++) {
      const Chunk& chunk = block->chunk(at);
      Equal(leases::StateOf(chunk.word.load()), state, "an item of a list");
      last = at;
      at = chunk.next;
    }
    if (list.count > 0) Equal(list.tail, last, "the end of a list");
  }
};

inline int Put(LeaseMember& member, const Blob& item) {
  return member.Put({nullptr, 0, item.data(), item.size()});
}

inline LeaseMember::Item Got(LeaseMember& member, bool letters = false) {
  LeaseMember::Item item;
  Equal(member.Get(letters, &item), 0, "Get");
  return item;
}

inline Blob BytesOf(const LeaseMember::Item& item) {
  return {item.payload, item.payload + item.length};
}

}  // namespace mp::test
