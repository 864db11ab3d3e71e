// SPDX-License-Identifier: MIT
//
// An item of a queue as bytes: in the caller's memory, with what precedes it in the pipe, and as
// the copy of both that waits to be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "io/frame.h"

namespace mp {

// Memory of the caller's: a short prefix and the payload, which make one message.
struct QueueItem {
  static constexpr size_t kMaxPrefixBytes = 16;

  const uint8_t* prefix = nullptr;
  size_t prefix_size = 0;
  const uint8_t* payload = nullptr;
  size_t size = 0;
};

// What precedes an item's payload in the pipe: the header and the prefix.
struct QueueMessageHead {
  explicit QueueMessageHead(const QueueItem& item) noexcept;

  uint8_t bytes[frame::kLongHeaderBytes + QueueItem::kMaxPrefixBytes];
  size_t size;
};

// A copy of a message that waits. Bytes of the payload that were written before, being among the
// first `sent` bytes of the message, are not copied.
struct QueueMessage {
  QueueMessage() noexcept = default;
  QueueMessage(const QueueItem& item, size_t sent);

  size_t left() const noexcept { return size - sent; }

  std::unique_ptr<uint8_t[]> memory;
  uint8_t* bytes = nullptr;  // Head and payload, inside of `memory`.
  size_t size = 0;
  size_t sent = 0;
};

}  // namespace mp
