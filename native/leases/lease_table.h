// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "leases/lease_block.h"

namespace mp {

// The items of a queue with leases. For the holder of the block's lock.
class LeaseTable {
 public:
  explicit LeaseTable(std::shared_ptr<LeaseBlock> block) noexcept : block_(std::move(block)) {}

  LeaseBlock& block() const noexcept { return *block_; }
  leases::Header& header() const noexcept { return block_->header(); }

  // A chunk that `owner` fills; nullptr if no free chunk is long enough, or all places are taken.
  leases::Chunk* Allocate(uint64_t length, uint32_t owner) noexcept;
  // The chunk that was filled is an item from now on.
  void Enqueue(leases::Chunk& chunk) noexcept;
  // Hands out the next item: one that came back before one that is new. With `dead`, one for the
  // dead letters before both. nullptr if there is none.
  leases::Chunk* Take(uint32_t owner, bool dead, uint64_t now) noexcept;
  // The item waits again, to be handed out or, after its last delivery, for the dead letters.
  void Return(leases::Chunk& chunk) noexcept;
  // The item is finished, or the chunk was not filled. True if no item is unfinished from now on.
  bool Free(leases::Chunk& chunk) noexcept;

  // Makes the lists and the counts anew from the states of the chunks. False if the chunks are not
  // a chain: then the memory was overwritten.
  bool Rebuild();

  // Calls visit(chunk, word) for each chunk. Only if visit neither frees nor allocates.
  template <typename Visit>
  void ForEach(Visit visit) const noexcept {
    for (uint64_t at = leases::kChunksOffset; at < block_->end();) {
      leases::Chunk& chunk = block_->chunk(at);
      const uint64_t size = chunk.size.load(std::memory_order_acquire);
      visit(chunk, chunk.word.load(std::memory_order_acquire));
      at += size;
    }
  }

 private:
  void Merge(leases::Chunk& chunk, uint64_t enough) noexcept;
  void Append(leases::List& list, leases::Chunk& chunk) noexcept;
  leases::Chunk* PopFrom(leases::List& list) noexcept;
  void Relink(leases::List& list, std::vector<leases::Chunk*>& chunks);

  std::shared_ptr<LeaseBlock> block_;
};

}  // namespace mp
