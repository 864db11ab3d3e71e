// SPDX-License-Identifier: MIT
#include "leases/lease_block.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "os/platform.h"

namespace mp {

using leases::kChunksOffset;
using leases::kUnit;

int LeaseBlock::Create(const Limits& limits) {
  constexpr uint64_t kMost = uint64_t{1} << 46;
  if (limits.bytes > kMost) return -ENOSPC;
  // An item of the largest length fits an empty block.
  const uint64_t bytes = sizeof(leases::Chunk) + (limits.bytes + kUnit - 1) / kUnit * kUnit;
  UniqueFd fd(platform::MakeMemoryFile("mp-leases", static_cast<off_t>(kChunksOffset + bytes)));
  if (!fd) return fd.get();
  void* memory =
      ::mmap(nullptr, kChunksOffset + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return -errno;
  const LeaseBlock block(memory, kChunksOffset + bytes);
  leases::Header& header = block.header();
  header.bytes = bytes;
  header.capacity = limits.bytes;
  header.places = limits.places;
  header.max_deliveries = limits.max_deliveries;
  header.free_bytes = bytes;
  header.rover = kChunksOffset;
  block.chunk(kChunksOffset).size.store(bytes);
  header.magic.store(leases::kMagic);
  return fd.Release();
}

int LeaseBlock::Open(int fd, std::shared_ptr<LeaseBlock>* out) {
  struct stat info {};
  int status = platform::FileStatus(fd, &info);
  if (status < 0) return status;
  status = platform::CheckMemoryFile(fd);
  if (status < 0) return status;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < kChunksOffset + sizeof(leases::Chunk)) return -EPROTO;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -errno;
  std::shared_ptr<LeaseBlock> block(new LeaseBlock(memory, size));
  const leases::Header& header = block->header();
  if (header.magic.load() != leases::kMagic || header.bytes != size - kChunksOffset) {
    return -EPROTO;
  }
  *out = std::move(block);
  return 0;
}

LeaseBlock::~LeaseBlock() { ::munmap(memory_, size_); }

}  // namespace mp
