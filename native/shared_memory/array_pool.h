// SPDX-License-Identifier: MIT
//
// The blocks that this process has made for arrays, for all of its environments. One that is not in
// use any more is used again, since the first use of fresh memory costs more than a copy. Any
// thread may call these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "shared_memory/array_block.h"

namespace mp::array_pool {

// A block of at least `size` bytes that was used before. -EAGAIN if there is none.
int Take(size_t size, std::shared_ptr<ArrayBlock>* out);
// A new one. -ENOSPC only after everything that is not in use was given up.
int Make(size_t size, std::shared_ptr<ArrayBlock>* out);
// The block that a message names: one of this process that it does not use itself, else as
// ArrayBlock::Open().
int Open(const std::string& file, uint64_t generation, const ArrayTicket& ticket,
         std::shared_ptr<ArrayBlock>* out);
// The block whose data begins at this address; null if there is none. It is known until Return().
std::shared_ptr<ArrayBlock> Find(const void* data);
// This process does not use the block any more. Other processes may.
void Return(std::shared_ptr<ArrayBlock> block);

// Gives back what lost messages hold, and removes the blocks that are not in use. True if nothing
// is left that must be looked at again: blocks that are in use elsewhere only, messages on their
// ways.
bool Trim();
// As ArrayBlock::EndTicket(), which needs a descriptor: this one does not, for a block of this
// process.
void EndTicket(const std::string& file, const ArrayTicket& ticket);
// Ends the tickets of a process that has ended, of whose messages none will be received, in the
// blocks of this process, and removes the blocks of that process.
void EndTicketsOf(uint32_t pid);

}  // namespace mp::array_pool
