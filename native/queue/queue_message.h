// SPDX-License-Identifier: MIT
//
// An item of a queue as bytes: where the caller has it, what comes before it in the pipe, and the
// copy of both that waits to be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "io/frame.h"

namespace mp {

// Memory of the caller's: a few bytes and many, which make one message.
struct QueueItem {
  static constexpr size_t kMostLeadBytes = 16;

  const uint8_t* lead = nullptr;
  size_t lead_size = 0;
  const uint8_t* payload = nullptr;
  size_t size = 0;
};

// What comes before an item's payload.
struct QueueMessageHead {
  explicit QueueMessageHead(const QueueItem& item) noexcept;

  uint8_t bytes[frame::kLongHeaderBytes + QueueItem::kMostLeadBytes];
  size_t size;
};

// A copy of a message. Of its payload it lacks what is among the first `sent` bytes, which were
// written before.
struct QueueMessage {
  QueueMessage() noexcept = default;
  QueueMessage(const QueueItem& item, size_t sent);

  size_t left() const noexcept { return size - sent; }

  std::unique_ptr<uint8_t[]> memory;
  uint8_t* bytes = nullptr;  // Head and payload, somewhere in it.
  size_t size = 0;
  size_t sent = 0;
};

}  // namespace mp
