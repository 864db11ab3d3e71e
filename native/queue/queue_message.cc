// SPDX-License-Identifier: MIT
#include "queue/queue_message.h"

#include <cstring>
#include <new>

namespace mp {

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kCacheLineBytes = 64;

// Some processors copy up to seventeen times more slowly to a target less than a cache line above
// its source, modulo the size of a page: they wait for stores that only seem to overlap the next
// load. Large allocations, which all begin at the same offset in a page, are such a case.
bool CopiesSlowly(const uint8_t* to, const uint8_t* from) noexcept {
  const uintptr_t above = reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from);
  return above % kPageBytes < kCacheLineBytes;
}

}  // namespace

QueueMessageHead::QueueMessageHead(const QueueItem& item) noexcept
    : size(frame::EncodeHeader(item.prefix_size + item.size, bytes)) {
  if (item.prefix_size > 0) std::memcpy(bytes + size, item.prefix, item.prefix_size);
  size += item.prefix_size;
}

uint8_t* QueueMessageBlock::Reserve(size_t size, std::shared_ptr<uint8_t[]>* memory) noexcept {
  if (size > kMostOfOne) {
    // Not make_shared, which would clear it.
    memory->reset(new (std::nothrow) uint8_t[size]);
    return memory->get();
  }
  if (!block_ || filled_ + size > kBytes) {
    block_.reset(new (std::nothrow) uint8_t[kBytes]);
    filled_ = 0;
    if (!block_) return nullptr;
  }
  *memory = block_;
  filled_ += size;
  return block_.get() + filled_ - size;
}

bool QueueMessage::Reserve(const QueueMessageHead& head, const QueueItem& item,
                           QueueMessageBlock& block) noexcept {
  size = head.size + item.size;
  const size_t spare = item.size >= kPageBytes ? kCacheLineBytes : 0;
  bytes = block.Reserve(spare + size, &memory);
  if (bytes == nullptr) return false;
  if (spare > 0 && CopiesSlowly(bytes + head.size, item.payload)) bytes += spare;
  return true;
}

void QueueMessage::Copy(const QueueMessageHead& head, const QueueItem& item,
                        size_t sent_bytes) noexcept {
  sent = sent_bytes;
  std::memcpy(bytes, head.bytes, head.size);
  const size_t done = sent > head.size ? sent - head.size : 0;
  if (item.size > done) {
    std::memcpy(bytes + head.size + done, item.payload + done, item.size - done);
  }
}

}  // namespace mp
