// SPDX-License-Identifier: MIT
//
// Reads messages from a byte stream. Every call makes the progress that the source allows and can
// be resumed at any byte. A caller that gave up (timeout, abort) leaves a state from which the next
// call goes on, so nothing is lost and nothing is read twice.
//
// Small messages are assembled here and handed out whole. A large one is announced first
// (kLargeMessage) and then read straight into memory that the caller provides. So memory grows with
// the bytes that arrive and never with the length that a peer announces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "io/byte_stream.h"
#include "io/frame.h"

namespace mp {

class FrameReader {
 public:
  // The largest message that is handed out whole. A larger one is read straight to its destination,
  // which costs one more call and spares two copies.
  static constexpr size_t kSmallBytes = 16 * 1024;

  // The most that one call reads ahead.
  static constexpr size_t kAheadBytes = 64 * 1024;

  // The least room that ReadFrames needs: for one small message with a header of either form.
  static constexpr size_t kFrameBytes = frame::kLongHeaderBytes + kSmallBytes;

  // A message longer than `max_message_bytes` makes the stream unreadable, unless such messages are
  // to be skipped.
  explicit FrameReader(uint64_t max_message_bytes) noexcept : max_bytes_(max_message_bytes) {}

  // Returns the length of one whole message, copied to `out` (which has room for kSmallBytes), or a
  // Status, or -errno. A message longer than `max_length` is kTooLong.
  int64_t ReadSmall(ByteSource& source, uint8_t* out, uint64_t max_length);

  // As ReadSmall, for as many small messages as are there: puts them into `out`, which has room for
  // `size` bytes, one behind the other, each behind a header of 4 bytes. Returns how many bytes
  // they take together. Without reading ahead it is one message.
  int64_t ReadFrames(ByteSource& source, uint8_t* out, size_t size, uint64_t max_length);

  // After kLargeMessage: reads at most `budget` more bytes into `into`, which has room for the
  // first `size` bytes of the message, and returns how many bytes of the message are there. At
  // length() the message is complete, and the reader is ready for the next one.
  int64_t ReadLarge(ByteSource& source, uint8_t* into, size_t size, size_t budget);

  // The same without a destination: reads what is there of the message, at most `budget` bytes, and
  // drops it. -EAGAIN while the message has more.
  int64_t SkipLarge(ByteSource& source, size_t budget = SIZE_MAX);

  // From now on a message that is too long is kTooLong, and SkipLarge() must follow.
  void SkipTooLong() noexcept { skips_too_long_ = true; }

  // Reads one byte and the descriptor that came with it, as multiprocessing.reduction.send_handle
  // sends them. Returns the descriptor, which the caller owns then, kNoDescriptor if the byte came
  // alone, -EMFILE if this process had no number left for the descriptor (in both cases the byte is
  // consumed), a Status or -errno.
  int64_t ReadDescriptor(ByteSource& source);

  // Reading ahead reads in one call what is there, and serves later messages from memory. Turning
  // it off keeps what is held.
  void set_read_ahead(bool on) noexcept { read_ahead_ = on; }
  bool read_ahead() const noexcept { return read_ahead_; }

  // Hands out what is held, header included, so that another reader of the same stream can go on
  // with it: at most kMaxHeldBytes. -EBUSY when that is impossible: a large message has arrived in
  // part in the caller's memory, or a descriptor is held.
  static constexpr size_t kMaxHeldBytes = kAheadBytes + frame::kLongHeaderBytes;
  int64_t TakeOut(uint8_t* out) noexcept;

  // The counterpart: puts bytes before those that are held. Only between two messages.
  int PutIn(const uint8_t* bytes, size_t size);

  // Forgets the message of which a part was read: its rest will not come.
  void DropMessage() noexcept;

  // Whether the next call makes progress from memory alone: a whole message, the beginning of a
  // large one, a descriptor or a lasting failure is held. A part of a small message does not count:
  // a loop of waiting and trying would spin until the rest comes.
  bool Ready() const noexcept;

  // Whether the last read found less than it asked for and a call now would have to read again,
  // most likely in vain.
  bool drained() const noexcept { return drained_ && !Ready(); }

  // The longest message that may be received and is handed out whole.
  uint64_t longest_small() const noexcept { return std::min<uint64_t>(kSmallBytes, max_bytes_); }

  // The message being received or last refused: its announced length, and how many of its bytes
  // have arrived.
  int64_t length() const noexcept { return length_; }
  int64_t received() const noexcept { return received_; }

  bool in_message() const noexcept { return phase_ == Phase::kBody || header_have_ > 0; }

 private:
  enum class Phase : uint8_t { kHeader, kBody, kEnded, kUnreadable };

  static constexpr int64_t kNotWhole = INT64_MIN;

  int64_t ReadAhead(ByteSource& source, uint8_t* out, uint64_t max_length);
  size_t WholeFrames(const uint8_t* bytes, size_t size, uint64_t max_length) const noexcept;
  int64_t ReadHeader(ByteSource& source);
  int64_t AssembleSmall(ByteSource& source, uint8_t* out);
  int64_t Finish() noexcept;
  int64_t Refuse(int64_t status) noexcept;
  int64_t EndInside(int64_t received, int64_t expected) noexcept;

  // Reads at most `most` bytes into the held buffer, or as many as fit when reading ahead.
  ssize_t Fill(ByteSource& source, size_t most);
  ssize_t Pull(ByteSource& source, uint8_t* into, size_t size);
  ssize_t Receive(ByteSource& source, const iovec* iov, int count);
  void Keep(const uint8_t* bytes, size_t size);
  void Allocate(size_t least);
  size_t TakeHeld(uint8_t* into, size_t most) noexcept;
  void DropBufferIfEmpty() noexcept;
  bool IsLarge() const noexcept { return static_cast<uint64_t>(length_) > kSmallBytes; }

  uint64_t max_bytes_;
  int64_t length_ = 0;
  int64_t received_ = 0;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t header_have_ = 0;
  uint8_t header_[frame::kLongHeaderBytes] = {};
  Phase phase_ = Phase::kHeader;
  bool read_ahead_ = false;
  bool drained_ = false;
  bool skips_too_long_ = false;
  ArrivedDescriptor descriptor_;  // Belongs to the last held byte.
};

}  // namespace mp
