// SPDX-License-Identifier: MIT
//
// Puts messages into a byte stream, in order and resumable at every byte. A message that could not
// be written at once waits here: its header and up to 64 KiB of its bytes as a copy, the rest in
// the caller's memory, whose address the caller supplies anew at every attempt.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>

#include "io/byte_stream.h"
#include "io/frame.h"

namespace mp {

class FrameWriter {
 public:
  // How much of a waiting message is copied.
  static constexpr size_t kCopiedBytes = 64 * 1024;

  // From `header_alone_from` bytes on a message's header leaves in a write of its own. In a pipe
  // the payload then begins at the start of a page. Behind the header it would lie 4 bytes further,
  // and where the caller's memory begins at the start of a page too (as large allocations do)
  // copying between two addresses that are nearly the same modulo 4096 takes twice as long.
  explicit FrameWriter(size_t header_alone_from = SIZE_MAX) noexcept
      : header_alone_from_(header_alone_from) {}

  // Memory of the caller that holds the payload of the first waiting message with a lent rest.
  struct Lent {
    const uint8_t* data = nullptr;
    size_t size = 0;
  };

  // Writes a message at once as far as there is room, and keeps the rest. Only for an empty writer.
  // 0 when it is written, 1 when it waits, -errno when nothing of it was or will be written.
  int64_t Send(ByteSink& sink, const uint8_t* payload, size_t size);

  // Adds a message behind those that wait, without writing.
  void Append(const uint8_t* payload, size_t size);

  // Adds bytes without a header, for a reader that finds their end by itself.
  void AppendUnframed(const uint8_t* payload, size_t size);

  // The same for a descriptor, as multiprocessing.reduction.send_handle sends it. The writer takes
  // its own copy of the descriptor.
  void AppendDescriptor(UniqueFd descriptor);

  // Writes what waits, at most about `budget` bytes, and returns how many messages were completed,
  // or -errno: with -EAGAIN none was, with any other error the stream is unusable. A lent rest is
  // read from `lent`; kBufferChanged if that is too short by now.
  int64_t Flush(ByteSink& sink, Lent lent, size_t budget);

  // Takes back the waiting message number `index` (0 is the first): 1. Or 0 if its first byte has
  // been written: then the rest of it, read from `lent` if it is lent, is copied here to be
  // written later, since a message once begun must be finished. kBufferChanged or -ENOMEM if it
  // cannot be.
  int64_t Withdraw(size_t index, Lent lent);

  // Whether the message number `index` reads a part from the caller's memory.
  bool lends(size_t index) const noexcept {
    return std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(index))->lends();
  }

  void Clear() noexcept;

  size_t count() const noexcept { return waiting_.size(); }
  bool empty() const noexcept { return waiting_.empty(); }
  // Whether the first waiting message has been written in part.
  bool begun() const noexcept { return !waiting_.empty() && waiting_.front().sent > 0; }
  // Bytes not written yet.
  uint64_t pending_bytes() const noexcept { return pending_bytes_; }

 private:
  struct Message {
    std::array<uint8_t, frame::kLongHeaderBytes> header{};
    size_t header_size = 0;
    size_t size = 0;         // Payload bytes.
    size_t copied_from = 0;  // The payload bytes [copied_from, copied_to) are in `copy`,
    size_t copied_to = 0;    // those from copied_to on are lent.
    size_t sent = 0;         // Of header and payload together.
    std::unique_ptr<uint8_t[]> copy;
    UniqueFd descriptor;

    size_t total() const noexcept { return descriptor ? 1 : header_size + size; }
    bool lends() const noexcept { return copied_to < size; }
  };

  bool HeaderAlone(const Message& message) const noexcept {
    return !message.descriptor && message.sent < message.header_size &&
           message.size >= header_alone_from_;
  }

  static Message Describe(size_t size) noexcept;
  static void CopyPayload(Message& message, const uint8_t* payload, size_t from, size_t to);
  void Enqueue(Message&& message);
  int Gather(Lent lent, size_t budget, iovec* iov, int most, bool* lent_too_short) const;
  int64_t Advance(size_t written, bool* lent_used_up) noexcept;

  size_t header_alone_from_;
  // A list takes no memory while nothing waits, which is most of the time.
  std::list<Message> waiting_;
  uint64_t pending_bytes_ = 0;
};

}  // namespace mp
