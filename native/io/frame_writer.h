// SPDX-License-Identifier: MIT
//
// Puts messages into a byte stream, in order and resumable at every byte. A message that could not
// be written at once waits here: its header and up to 64 KiB of its bytes are copied, and the rest
// stays in the caller's memory, whose address the caller supplies anew at every attempt.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

#include "io/byte_stream.h"
#include "io/frame.h"

namespace mp {

class FrameWriter {
 public:
  // How much of a waiting message is copied.
  static constexpr size_t kCopiedBytes = 64 * 1024;

  // From `header_alone_from` bytes on, a message's header leaves in a write of its own. In a pipe
  // the payload then begins at the start of a page. Behind the header it would lie 4 bytes further,
  // and where the caller's memory begins at the start of a page too (as large allocations do)
  // copying between two addresses that are nearly the same modulo 4096 takes twice as long.
  explicit FrameWriter(size_t header_alone_from = SIZE_MAX) noexcept
      : header_alone_from_(header_alone_from) {}

  // Memory of the caller's that holds the payload of the first waiting message that is not copied
  // whole.
  struct Borrowed {
    const uint8_t* data = nullptr;
    size_t size = 0;
  };

  // Every message that waits has a number, by which it can be withdrawn. Numbers begin at 1, grow
  // in the order of the messages and are never used again.

  // Writes a message at once as far as there is room, and keeps the rest. Only for an empty writer.
  // Returns 0 when the message is written, its number when it waits, and -errno when nothing of it
  // was or will be written.
  int64_t Send(ByteSink& sink, const uint8_t* payload, size_t size);

  // Writes whole messages that have their headers already, none of them longer than 2 GiB, and
  // keeps a copy of what there is no room for. Without an earlier message that waits this is one
  // write. Returns how many messages were completed, or -errno when nothing was or will be written.
  // Each message has a number, and none can be withdrawn.
  int64_t SendFrames(ByteSink& sink, const uint8_t* frames, size_t size);

  // The same without writing.
  void AppendFrames(const uint8_t* frames, size_t size);

  // Adds a message behind those that wait, without writing. Returns its number. At most `copied`
  // bytes of it are copied.
  int64_t Append(const uint8_t* payload, size_t size, size_t copied = kCopiedBytes);

  // The same for bytes without a header, for a reader that knows by itself where they end.
  int64_t AppendUnframed(const uint8_t* payload, size_t size);

  // The same for a descriptor, as multiprocessing.reduction.send_handle sends it.
  int64_t AppendDescriptor(UniqueFd descriptor);

  // Writes what waits, at most about `budget` bytes, and returns how many messages were completed,
  // or -errno: with -EAGAIN none was, with any other error the stream is unusable. What is not
  // copied is read from `borrowed`; kBufferChanged if that is too short by now.
  int64_t Flush(ByteSink& sink, Borrowed borrowed, size_t budget);

  // Takes back the message with this number: 1. Or 0 if its first byte has been written: a message
  // once begun must be finished, so what is left of it is copied from `borrowed`. kBufferChanged or
  // -ENOMEM if it cannot be copied.
  int64_t Withdraw(int64_t number, Borrowed borrowed);

  void Clear() noexcept;
  // Drops the first message whose memory is borrowed, and all behind it.
  void ClearBorrowed() noexcept;

  bool empty() const noexcept { return waiting_.empty(); }
  // Whether a part of a message is written.
  bool in_message() const noexcept { return !empty() && waiting_.front().is_begun(); }
  // Whether what comes next is in memory of the caller's.
  bool needs_borrowed() const noexcept {
    return !empty() && waiting_.front().borrows() &&
           waiting_.front().payload_sent() >= waiting_.front().copied_to;
  }
  // Bytes not written yet.
  uint64_t pending_bytes() const noexcept { return pending_bytes_; }

 private:
  struct Message {
    std::array<uint8_t, frame::kLongHeaderBytes> header{};
    size_t header_size = 0;
    size_t size = 0;         // Payload bytes.
    size_t copied_from = 0;  // The payload bytes [copied_from, copied_to) are in `copy`,
    size_t copied_to = 0;    // those from copied_to on are borrowed.
    size_t sent = 0;         // Of header and payload together.
    // For several messages in one, whose payload contains their headers: those before this position
    // are completed, and so many are not.
    size_t boundary = SIZE_MAX;
    int64_t left = 0;
    int64_t number = 0;
    std::unique_ptr<uint8_t[]> copy;
    UniqueFd descriptor;

    size_t total() const noexcept { return descriptor ? 1 : header_size + size; }
    bool is_several() const noexcept { return boundary != SIZE_MAX; }
    bool is_begun() const noexcept { return sent > (is_several() ? boundary : 0); }
    bool borrows() const noexcept { return copied_to < size; }
    size_t payload_sent() const noexcept { return sent > header_size ? sent - header_size : 0; }
  };

  bool HeaderAlone(const Message& message) const noexcept {
    return !message.descriptor && message.sent < message.header_size &&
           message.size >= header_alone_from_;
  }

  static Message Describe(size_t size) noexcept;
  static void CopyPayload(Message& message, const uint8_t* payload, size_t from, size_t to);
  static int64_t PassBoundaries(const uint8_t* frames, size_t size, size_t sent, size_t* boundary);
  int64_t Enqueue(Message&& message);
  int Gather(Borrowed borrowed, size_t budget, iovec* iov, int max_parts, bool* too_short) const;
  int64_t Advance(size_t written, bool* borrowed_used_up) noexcept;

  size_t header_alone_from_;
  // A list takes no memory while nothing waits, which is most of the time.
  std::list<Message> waiting_;
  uint64_t pending_bytes_ = 0;
  int64_t last_number_ = 0;
};

}  // namespace mp
