// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "leases/lease_layout.h"
#include "os/unique_fd.h"

namespace mp {

// The mapping of the memory that the members of a queue with leases share. Its file has no name, is
// reserved when it is made and cannot shrink, so that no access raises SIGBUS.
class LeaseBlock {
 public:
  struct Limits {
    uint64_t bytes = 0;   // Of all payloads together, and of the longest one.
    uint64_t places = 0;  // 0 for no limit.
    uint32_t max_deliveries = 0;
  };

  // The descriptor of a new block, or -errno: ENOSPC or ENOMEM if there is no memory for it, ENOSYS
  // where the system has no such files.
  static int Create(const Limits& limits);
  // Maps the block of a descriptor, which stays the caller's. -EPROTO if it is not a block.
  static int Open(int fd, std::shared_ptr<LeaseBlock>* out);

  ~LeaseBlock();
  LeaseBlock(const LeaseBlock&) = delete;
  LeaseBlock& operator=(const LeaseBlock&) = delete;

  leases::Header& header() const noexcept { return *static_cast<leases::Header*>(memory_); }
  leases::MemberEntry& member(uint32_t index) const noexcept {
    return reinterpret_cast<leases::MemberEntry*>(At(leases::kMembersOffset))[index];
  }
  leases::Chunk& chunk(uint64_t offset) const noexcept {
    return *reinterpret_cast<leases::Chunk*>(At(offset));
  }
  uint64_t OffsetOf(const leases::Chunk& chunk) const noexcept {
    return static_cast<uint64_t>(reinterpret_cast<const char*>(&chunk) -
                                 static_cast<const char*>(memory_));
  }
  uint64_t end() const noexcept { return size_; }

 private:
  LeaseBlock(void* memory, uint64_t size) noexcept : memory_(memory), size_(size) {}
  char* At(uint64_t offset) const noexcept { return static_cast<char*>(memory_) + offset; }

  void* memory_;
  uint64_t size_;
};

}  // namespace mp
