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

// Memory for messages that wait. Small ones lie one behind the other in a block, which is freed
// with the last of them, so that several are written as one piece.
class QueueMessageBlock {
 public:
  static constexpr size_t kBytes = 16 * 1024;
  static constexpr size_t kMostOfOne = 4096;

  // Sets `memory` to what keeps the result. Null if there is no memory.
  uint8_t* Reserve(size_t size, std::shared_ptr<uint8_t[]>* memory) noexcept;
  // Keeps no memory for later messages.
  void Release() noexcept { block_.reset(); }

 private:
  std::shared_ptr<uint8_t[]> block_;
  size_t filled_ = 0;
};

// The copy of a message that waits, or of the part of it that waits.
struct QueueMessage {
  // The memory for the whole message. False if there is none: then nothing else has happened.
  bool Reserve(const QueueMessageHead& head, const QueueItem& item,
               QueueMessageBlock& block) noexcept;
  // Copies what follows the first `sent` bytes of the message, which were written before.
  void Copy(const QueueMessageHead& head, const QueueItem& item, size_t sent) noexcept;

  size_t left() const noexcept { return size - sent; }

  std::shared_ptr<uint8_t[]> memory;
  uint8_t* bytes = nullptr;  // Head and payload, inside of `memory`.
  size_t size = 0;
  size_t sent = 0;
};

}  // namespace mp
