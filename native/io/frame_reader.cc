// SPDX-License-Identifier: MIT
#include "io/frame_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "util/status.h"

namespace mp {

int64_t FrameReader::ReadSmall(ByteSource& source, uint8_t* out, uint64_t max_length) {
  if (phase_ == Phase::kHeader) {
    if (read_ahead_ && header_have_ == 0 && begin_ == end_) {
      const int64_t status = ReadAhead(source, out, max_length);
      if (status != kNotWhole) return status;
    }
    const int64_t status = ReadHeader(source);
    if (status < 0) return status;
  }
  if (phase_ == Phase::kEnded) return kEndOfFile;
  if (phase_ == Phase::kUnreadable) return kUnreadable;
  if (static_cast<uint64_t>(length_) > max_bytes_) return kTooLong;
  if (static_cast<uint64_t>(length_) > max_length) return Refuse(kTooLong);
  if (IsLarge()) return kLargeMessage;
  return AssembleSmall(source, out);
}

namespace {

// A source of which is known that nothing more is there.
class Exhausted final : public ByteSource {
 public:
  ssize_t Read(const iovec*, int, ArrivedDescriptor*) override { return -EAGAIN; }
};

}  // namespace

int64_t FrameReader::ReadFrames(ByteSource& source, uint8_t* out, size_t size,
                                uint64_t max_length) {
  Exhausted exhausted;
  ByteSource* rest = &source;
  if (read_ahead_ && phase_ == Phase::kHeader && header_have_ == 0) {
    if (begin_ != end_) {
      const uint8_t* held = buffer_.get() + begin_;
      const size_t whole = WholeFrames(held, std::min(size, end_ - begin_), max_length);
      if (whole > 0) {
        TakeHeld(out, whole);
        DropBufferIfEmpty();
        return static_cast<int64_t>(whole);
      }
    }
    // A message that is held in part is not longer than a small one, so there is room behind it.
    if (!Ready()) {
      const size_t held = TakeHeld(out, size);
      const ssize_t n = Pull(source, out + held, size - held);
      const size_t have = held + (n > 0 ? static_cast<size_t>(n) : 0);
      const size_t whole = phase_ == Phase::kHeader ? WholeFrames(out, have, max_length) : 0;
      if (phase_ == Phase::kHeader) Keep(out + whole, have - whole);
      DropBufferIfEmpty();
      if (whole > 0) return static_cast<int64_t>(whole);
      if (n < 0) return n;
      if (n == 0 && held == 0) {
        phase_ = Phase::kEnded;
        return kEndOfFile;
      }
      if (drained_) rest = &exhausted;
    }
  }
  const int64_t length = ReadSmall(*rest, out + frame::kShortHeaderBytes, max_length);
  if (length < 0) return length;
  return static_cast<int64_t>(frame::EncodeHeader(static_cast<uint64_t>(length), out)) + length;
}

// How many of the first `size` bytes that were read are whole small messages with short headers.
// Whatever else comes is left to ReadSmall. A descriptor belongs to the last byte that was read.
size_t FrameReader::WholeFrames(const uint8_t* bytes, size_t size,
                                uint64_t max_length) const noexcept {
  const size_t usable = descriptor_ && size > 0 ? size - 1 : size;
  const auto longest = std::min(longest_small(), max_length);
  size_t whole = 0;
  for (;;) {
    size_t needed = 0;
    int64_t length = 0;
    const frame::HeaderState state =
        frame::DecodeHeader(bytes + whole, usable - whole, &needed, &length);
    if (state != frame::HeaderState::kComplete || needed != frame::kShortHeaderBytes) return whole;
    if (static_cast<uint64_t>(length) > longest) return whole;
    const size_t end = whole + needed + static_cast<size_t>(length);
    if (end > usable) return whole;
    whole = end;
  }
}

// Reads a header and what follows it in one call, the latter straight to `out`. In the common case
// that only one small message is there, it costs one system call and no copy. kNotWhole: the bytes
// that were read are held, and the general way goes on with them.
int64_t FrameReader::ReadAhead(ByteSource& source, uint8_t* out, uint64_t max_length) {
  const iovec iov[2] = {{header_, frame::kShortHeaderBytes}, {out, kSmallBytes}};
  const ssize_t n = Receive(source, iov, 2);
  if (n == 0) {
    phase_ = Phase::kEnded;
    return kEndOfFile;
  }
  if (n < 0) return n;
  const auto read = static_cast<size_t>(n);
  header_have_ = std::min(read, frame::kShortHeaderBytes);
  const size_t follows = read - header_have_;
  // A descriptor belongs to the last byte read, which is never one of a header.
  if (descriptor_ && follows == 0) return Refuse(kUnexpectedDescriptor);
  size_t needed = 0;
  const frame::HeaderState state = frame::DecodeHeader(header_, header_have_, &needed, &length_);
  const auto size = static_cast<uint64_t>(length_);
  const bool whole = state == frame::HeaderState::kComplete && needed == header_have_ &&
                     size <= std::min(max_bytes_, max_length) && size <= follows &&
                     !(descriptor_ && size == follows);
  if (!whole) {
    Keep(out, follows);
    return kNotWhole;
  }
  Keep(out + size, follows - size);
  header_have_ = 0;
  return length_;
}

// Completes the header and enters the body. 0, a Status or -errno.
int64_t FrameReader::ReadHeader(ByteSource& source) {
  for (;;) {
    // Reading may turn it on (Endpoint::ReadAheadOnceAlone).
    const bool ahead = read_ahead_;
    size_t needed = 0;
    const frame::HeaderState state = frame::DecodeHeader(header_, header_have_, &needed, &length_);
    if (state == frame::HeaderState::kInvalid) return Refuse(kBadLength);
    if (state == frame::HeaderState::kComplete) break;
    if (end_ == begin_) {
      // Without reading ahead exactly the missing bytes are read: what follows may be meant for
      // another process that shares the descriptor.
      const size_t missing = needed - header_have_;
      const ssize_t n =
          ahead ? Fill(source, kSmallBytes) : Pull(source, header_ + header_have_, missing);
      if (n == 0) {
        if (header_have_ == 0) {
          phase_ = Phase::kEnded;
          return kEndOfFile;
        }
        return EndInside(static_cast<int64_t>(header_have_), static_cast<int64_t>(needed));
      }
      if (n < 0) return n;
      if (!ahead) {
        header_have_ += static_cast<size_t>(n);
        // A descriptor here came with a header byte, which send_handle never sends.
        if (descriptor_) return Refuse(kUnexpectedDescriptor);
        continue;
      }
    }
    // The byte that a descriptor came with cannot be part of a header: the caller asks for a
    // message where the peer sent a handle.
    header_have_ += TakeHeld(header_ + header_have_, needed - header_have_);
    if (descriptor_ && end_ == begin_) return Refuse(kUnexpectedDescriptor);
  }
  if (static_cast<uint64_t>(length_) > max_bytes_ && !skips_too_long_) return Refuse(kBadLength);
  phase_ = Phase::kBody;
  received_ = 0;
  return 0;
}

int64_t FrameReader::AssembleSmall(ByteSource& source, uint8_t* out) {
  const auto size = static_cast<size_t>(length_);
  if (end_ == begin_ && !read_ahead_ && size > 0) {
    const ssize_t n = Pull(source, out, size);
    if (n == 0) return EndInside(0, length_);
    if (n < 0) return n;
    if (descriptor_) return Refuse(kUnexpectedDescriptor);
    if (static_cast<size_t>(n) == size) return Finish();
    // The next call may come with other memory.
    Keep(out, static_cast<size_t>(n));
  }
  for (;;) {
    const size_t held = end_ - begin_;
    received_ = static_cast<int64_t>(std::min(held, size));
    // A descriptor belongs to the last held byte; at or before the end of the message it is a
    // message byte that it came with.
    if (descriptor_ && held <= size) return Refuse(kUnexpectedDescriptor);
    if (held >= size) break;
    const ssize_t n = Fill(source, size - held);
    if (n == 0) return EndInside(received_, length_);
    if (n < 0) return n;
  }
  TakeHeld(out, size);
  return Finish();
}

int64_t FrameReader::ReadLarge(ByteSource& source, uint8_t* into, size_t size, size_t budget) {
  if (phase_ == Phase::kUnreadable) return kUnreadable;
  if (phase_ != Phase::kBody) return kEndOfFile;
  const size_t target = std::min(size, static_cast<size_t>(length_));
  auto done = static_cast<size_t>(received_);
  const size_t stop = target - done > budget ? done + budget : target;
  while (done < stop) {
    if (end_ > begin_) {
      done += TakeHeld(into + done, stop - done);
      received_ = static_cast<int64_t>(done);
      if (descriptor_ && end_ == begin_) return Refuse(kUnexpectedDescriptor);
      continue;
    }
    const size_t wanted = stop - done;
    const ssize_t n = Pull(source, into + done, wanted);
    if (n == 0) return EndInside(received_, length_);
    if (n < 0) return n == -EAGAIN ? received_ : n;
    done += static_cast<size_t>(n);
    received_ = static_cast<int64_t>(done);
    if (descriptor_) return Refuse(kUnexpectedDescriptor);
    // A short count means that nothing more is there, which needs no further call to find out.
    if (static_cast<size_t>(n) < wanted) break;
  }
  return received_ == length_ ? Finish() : received_;
}

int64_t FrameReader::SkipLarge(ByteSource& source, size_t budget) {
  uint8_t nowhere[kSmallBytes];
  for (size_t skipped = 0; phase_ == Phase::kBody; skipped += sizeof nowhere) {
    if (skipped >= budget) return -EAGAIN;
    const size_t part = std::min(static_cast<size_t>(length_ - received_), sizeof nowhere);
    const ssize_t n =
        end_ > begin_ ? static_cast<ssize_t>(TakeHeld(nowhere, part)) : Pull(source, nowhere, part);
    if (n == 0) return EndInside(received_, length_);
    if (n < 0) return n;
    if (descriptor_) return Refuse(kUnexpectedDescriptor);
    received_ += n;
    if (received_ == length_) return Finish();
  }
  return kEndOfFile;
}

int64_t FrameReader::ReadDescriptor(ByteSource& source) {
  if (phase_ == Phase::kEnded) return kEndOfFile;
  if (phase_ == Phase::kUnreadable) return kUnreadable;
  // Inside a message the next byte is not one that a handle comes with.
  if (in_message()) return kNoDescriptor;
  if (end_ == begin_) {
    const ssize_t n = Fill(source, 1);
    if (n == 0) {
      phase_ = Phase::kEnded;
      return kEndOfFile;
    }
    if (n < 0) return n;
  }
  uint8_t byte = 0;
  TakeHeld(&byte, 1);
  const bool came_with_it = descriptor_ && end_ == begin_;
  DropBufferIfEmpty();
  return came_with_it ? descriptor_.Take() : kNoDescriptor;
}

int64_t FrameReader::TakeOut(uint8_t* out) noexcept {
  if (descriptor_ || (phase_ == Phase::kBody && IsLarge() && received_ > 0)) return -EBUSY;
  if (phase_ == Phase::kEnded || phase_ == Phase::kUnreadable) return 0;
  const size_t size = header_have_;
  std::memcpy(out, header_, size);
  const size_t taken = size + TakeHeld(out + size, end_ - begin_);
  DropBufferIfEmpty();
  phase_ = Phase::kHeader;
  header_have_ = 0;
  received_ = 0;
  return static_cast<int64_t>(taken);
}

int FrameReader::PutIn(const uint8_t* bytes, size_t size) {
  if (phase_ != Phase::kHeader || header_have_ > 0) return -EBUSY;
  const size_t held = end_ - begin_;
  if (size + held > kMaxHeldBytes) return -EINVAL;
  const std::unique_ptr<uint8_t[]> before = std::move(buffer_);
  const size_t from = begin_;
  Allocate(size + held);
  std::memcpy(buffer_.get(), bytes, size);
  if (held > 0) std::memcpy(buffer_.get() + size, before.get() + from, held);
  end_ = size + held;
  return 0;
}

bool FrameReader::Ready() const noexcept {
  if (phase_ == Phase::kEnded || phase_ == Phase::kUnreadable) return true;
  const size_t in_buffer = end_ - begin_;
  if (in_buffer == 0) return false;
  // The next call hands it out, or fails because it is in the way of a message: progress either
  // way.
  if (descriptor_) return true;
  if (phase_ == Phase::kBody) return in_buffer >= static_cast<uint64_t>(length_) || IsLarge();
  uint8_t header[frame::kLongHeaderBytes];
  std::memcpy(header, header_, header_have_);
  const size_t copied = std::min(in_buffer, sizeof header - header_have_);
  std::memcpy(header + header_have_, buffer_.get() + begin_, copied);
  size_t needed = 0;
  int64_t length = 0;
  const auto state = frame::DecodeHeader(header, header_have_ + copied, &needed, &length);
  if (state == frame::HeaderState::kIncomplete) return false;
  const uint64_t body = header_have_ + in_buffer - needed;
  return state == frame::HeaderState::kInvalid || body >= static_cast<uint64_t>(length) ||
         static_cast<uint64_t>(length) > kSmallBytes;
}

int64_t FrameReader::Finish() noexcept {
  phase_ = Phase::kHeader;
  header_have_ = 0;
  received_ = 0;
  DropBufferIfEmpty();
  return length_;
}

void FrameReader::DropMessage() noexcept {
  descriptor_.Reset();
  begin_ = end_;
  (void)Finish();
}

int64_t FrameReader::Refuse(int64_t status) noexcept {
  phase_ = Phase::kUnreadable;
  descriptor_.Reset();
  buffer_.reset();
  begin_ = end_ = header_have_ = 0;
  return status;
}

int64_t FrameReader::EndInside(int64_t received, int64_t expected) noexcept {
  Refuse(kTruncated);
  phase_ = Phase::kEnded;
  received_ = received;
  length_ = expected;
  return kTruncated;
}

ssize_t FrameReader::Fill(ByteSource& source, size_t most) {
  if (!buffer_) {
    Allocate(kSmallBytes);
  } else if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (capacity_ - begin_ < most + (end_ - begin_)) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const size_t room = capacity_ - end_;
  const ssize_t n = Pull(source, buffer_.get() + end_, read_ahead_ ? room : std::min(most, room));
  if (n > 0) end_ += static_cast<size_t>(n);
  DropBufferIfEmpty();
  return n;
}

ssize_t FrameReader::Pull(ByteSource& source, uint8_t* into, size_t size) {
  const iovec iov{into, size};
  return Receive(source, &iov, 1);
}

ssize_t FrameReader::Receive(ByteSource& source, const iovec* iov, int count) {
  const ssize_t n = source.Read(iov, count, &descriptor_);
  size_t wanted = 0;
  for (int i = 0; i < count; i++) wanted += iov[i].iov_len;
  drained_ = n == -EAGAIN || (n > 0 && static_cast<size_t>(n) < wanted);
  // Descriptors that belong to no single byte cannot be handed out in order.
  return n == -EBADMSG ? static_cast<ssize_t>(Refuse(kUnexpectedDescriptor)) : n;
}

size_t FrameReader::TakeHeld(uint8_t* into, size_t most) noexcept {
  const size_t taken = std::min(most, end_ - begin_);
  if (taken > 0) std::memcpy(into, buffer_.get() + begin_, taken);
  begin_ += taken;
  return taken;
}

// Holds bytes that were read and not handed out. Only while nothing else is held.
void FrameReader::Keep(const uint8_t* bytes, size_t size) {
  if (size == 0) return;
  Allocate(size);
  std::memcpy(buffer_.get(), bytes, size);
  end_ = size;
}

void FrameReader::Allocate(size_t least) {
  if (!buffer_ || capacity_ < least) {
    capacity_ = std::max(least, kSmallBytes);
    // Not make_unique, which would clear it.
    buffer_.reset(new uint8_t[capacity_]);
  }
  begin_ = end_ = 0;
}

// An idle connection keeps no buffer.
void FrameReader::DropBufferIfEmpty() noexcept {
  if (begin_ != end_) return;
  buffer_.reset();
  begin_ = end_ = 0;
}

}  // namespace mp
