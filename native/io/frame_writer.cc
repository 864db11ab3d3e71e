// SPDX-License-Identifier: MIT
#include "io/frame_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "util/status.h"

namespace mp {

namespace {

// Enough to fill a pipe of 64 KiB with messages of 1 KiB in one call.
constexpr int kMaxParts = 128;

// Adds the part [from, size) of a piece of memory, if there is one.
void AddPart(iovec* iov, int* count, const uint8_t* data, size_t from, size_t size) {
  if (from >= size) return;
  iov[*count].iov_base = const_cast<uint8_t*>(data + from);
  iov[*count].iov_len = size - from;
  ++*count;
}

}  // namespace

FrameWriter::Message FrameWriter::Describe(size_t size) noexcept {
  Message message;
  message.header_size = frame::EncodeHeader(size, message.header.data());
  message.size = size;
  return message;
}

void FrameWriter::CopyPayload(Message& message, const uint8_t* payload, size_t from, size_t to) {
  message.copied_from = from;
  message.copied_to = std::max(from, to);
  if (to <= from) return;
  message.copy.reset(new uint8_t[to - from]);
  std::memcpy(message.copy.get(), payload + from, to - from);
}

int64_t FrameWriter::Enqueue(Message&& message) {
  const size_t left = message.total() - message.sent;
  message.number = ++last_number_;
  waiting_.push_back(std::move(message));
  pending_bytes_ += left;
  return last_number_;
}

int64_t FrameWriter::Send(ByteSink& sink, const uint8_t* payload, size_t size) {
  Message message = Describe(size);
  if (HeaderAlone(message)) {
    const iovec header{message.header.data(), message.header_size};
    const ssize_t n = sink.Write(&header, 1);
    if (n < 0 && n != -EAGAIN) return n;
    message.sent = n > 0 ? static_cast<size_t>(n) : 0;
  }
  if (!HeaderAlone(message)) {
    iovec iov[2];
    int count = 0;
    AddPart(iov, &count, message.header.data(), message.sent, message.header_size);
    AddPart(iov, &count, payload, 0, size);
    const ssize_t n = sink.Write(iov, count);
    // Once the header is written, the rest must follow. The next attempt reports the error.
    if (n < 0 && n != -EAGAIN && message.sent == 0) return n;
    message.sent += n > 0 ? static_cast<size_t>(n) : 0;
  }
  if (message.sent == message.total()) return 0;
  CopyPayload(message, payload, message.payload_sent(), std::min(size, kCopiedBytes));
  return Enqueue(std::move(message));
}

// Moves `boundary` behind every message that ends within the first `sent` bytes. Returns how many
// it has passed.
int64_t FrameWriter::PassBoundaries(const uint8_t* frames, size_t size, size_t sent,
                                    size_t* boundary) {
  int64_t passed = 0;
  while (*boundary < sent) {
    size_t header = 0;
    int64_t length = 0;
    const auto state = frame::DecodeHeader(frames + *boundary, size - *boundary, &header, &length);
    const size_t end = *boundary + header + static_cast<size_t>(length);
    if (state != frame::HeaderState::kComplete || end > sent) break;
    *boundary = end;
    passed++;
  }
  return passed;
}

int64_t FrameWriter::SendFrames(ByteSink& sink, const uint8_t* frames, size_t size) {
  if (size == 0) return 0;
  size_t sent = 0;
  if (waiting_.empty()) {
    const iovec iov{const_cast<uint8_t*>(frames), size};
    const ssize_t n = sink.Write(&iov, 1);
    if (n < 0 && n != -EAGAIN) return n;
    sent = n > 0 ? static_cast<size_t>(n) : 0;
  }
  size_t boundary = 0;
  const int64_t completed = PassBoundaries(frames, size, sent, &boundary);
  last_number_ += completed;
  AppendFrames(frames + boundary, size - boundary);
  if (boundary < size) {
    waiting_.back().sent = sent - boundary;
    pending_bytes_ -= sent - boundary;
  }
  return completed;
}

void FrameWriter::AppendFrames(const uint8_t* frames, size_t size) {
  if (size == 0) return;
  Message message;
  message.size = size;
  CopyPayload(message, frames, 0, size);
  size_t end = 0;
  const int64_t count = PassBoundaries(frames, size, size, &end);
  message.boundary = 0;
  message.left = count;
  Enqueue(std::move(message));
  last_number_ += count - 1;
}

int64_t FrameWriter::Append(const uint8_t* payload, size_t size, size_t copied) {
  Message message = Describe(size);
  CopyPayload(message, payload, 0, std::min(size, copied));
  return Enqueue(std::move(message));
}

int64_t FrameWriter::AppendUnframed(const uint8_t* payload, size_t size) {
  Message message;
  message.size = size;
  CopyPayload(message, payload, 0, std::min(size, kCopiedBytes));
  return Enqueue(std::move(message));
}

int64_t FrameWriter::AppendDescriptor(UniqueFd descriptor) {
  Message message;
  message.header_size = 0;
  message.descriptor = std::move(descriptor);
  return Enqueue(std::move(message));
}

int64_t FrameWriter::Flush(ByteSink& sink, Borrowed borrowed, size_t budget) {
  int64_t completed = 0;
  size_t spent = 0;
  while (!waiting_.empty() && spent < budget) {
    ssize_t n = 0;
    size_t wanted = 1;
    if (waiting_.front().descriptor) {
      // CPython sends the number of descriptors modulo 256 as the byte they travel with.
      n = sink.WriteDescriptor(1, waiting_.front().descriptor.get());
    } else {
      iovec iov[kMaxParts];
      bool too_short = false;
      const int count = Gather(borrowed, budget - spent, iov, kMaxParts, &too_short);
      if (too_short && count == 0) return completed > 0 ? completed : int64_t{kBufferChanged};
      // What is left to write needs memory that this call was not given.
      if (count == 0) break;
      wanted = 0;
      for (int i = 0; i < count; i++) wanted += iov[i].iov_len;
      n = sink.Write(iov, count);
    }
    // What was completed is reported first. The next attempt reports a lasting error.
    if (n < 0) return completed > 0 ? completed : n;
    spent += static_cast<size_t>(n);
    bool borrowed_used_up = false;
    completed += Advance(static_cast<size_t>(n), &borrowed_used_up);
    // A short count means that there is no more room, which needs no further call to find out. And
    // the caller's memory was that of one message: the next one needs its own.
    if (static_cast<size_t>(n) < wanted || borrowed_used_up) break;
  }
  return completed;
}

// Collects what can be written in one call: whole messages up to one that borrows, whose rest ends
// the list, or up to a descriptor, which needs a call of its own.
int FrameWriter::Gather(Borrowed borrowed, size_t budget, iovec* iov, int max_parts,
                        bool* too_short) const {
  int count = 0;
  size_t bytes = 0;
  for (const Message& message : waiting_) {
    if (message.descriptor || count + 3 > max_parts || bytes >= budget) break;
    if (message.borrows() && borrowed.data != nullptr && borrowed.size < message.size) {
      *too_short = true;
      break;
    }
    AddPart(iov, &count, message.header.data(), message.sent, message.header_size);
    if (HeaderAlone(message)) break;
    AddPart(iov, &count, message.copy.get(),
            std::max(message.payload_sent(), message.copied_from) - message.copied_from,
            message.copied_to - message.copied_from);
    bytes += message.total();
    if (!message.borrows()) continue;
    if (borrowed.data == nullptr) break;
    const size_t from = std::max(message.payload_sent(), message.copied_to);
    AddPart(iov, &count, borrowed.data, from, from + std::min(message.size - from, budget));
    break;
  }
  return count;
}

int64_t FrameWriter::Advance(size_t written, bool* borrowed_used_up) noexcept {
  int64_t completed = 0;
  pending_bytes_ -= written;
  while (!waiting_.empty()) {
    Message& front = waiting_.front();
    const size_t left = front.total() - front.sent;
    front.sent += std::min(written, left);
    const bool whole = written >= left;
    if (front.is_several()) {
      const uint8_t* frames = front.copy.get();
      const int64_t passed =
          whole ? front.left : PassBoundaries(frames, front.size, front.sent, &front.boundary);
      front.left -= passed;
      completed += passed;
    } else if (whole) {
      completed++;
    }
    if (!whole) break;
    written -= left;
    if (front.borrows()) *borrowed_used_up = true;
    waiting_.pop_front();
  }
  return completed;
}

int64_t FrameWriter::Withdraw(int64_t number, Borrowed borrowed) {
  const auto position = std::find_if(waiting_.begin(), waiting_.end(), [=](const Message& message) {
    return message.number == number;
  });
  // It was written while the caller still waited for something behind it.
  if (position == waiting_.end()) return 0;
  Message& message = *position;
  if (message.sent == 0) {
    pending_bytes_ -= message.total();
    waiting_.erase(position);
    return 1;
  }
  if (!message.borrows()) return 0;
  if (borrowed.size < message.size) return kBufferChanged;
  Message whole;
  whole.header = message.header;
  whole.header_size = message.header_size;
  whole.size = message.size;
  whole.sent = message.sent;
  whole.number = message.number;
  // The copied part may differ from the caller's memory by now: it stays as it was.
  const size_t from = std::max(message.payload_sent(), message.copied_from);
  whole.copied_from = from;
  whole.copied_to = message.size;
  // Up to the size of the largest message, which there may be no memory for.
  whole.copy.reset(new (std::nothrow) uint8_t[message.size - from]);
  if (!whole.copy) return -ENOMEM;
  const size_t kept = message.copied_to > from ? message.copied_to - from : 0;
  if (kept > 0) {
    std::memcpy(whole.copy.get(), message.copy.get() + (from - message.copied_from), kept);
  }
  std::memcpy(whole.copy.get() + kept, borrowed.data + from + kept, message.size - from - kept);
  message = std::move(whole);
  return 0;
}

void FrameWriter::ClearBorrowed() noexcept {
  const auto first = std::find_if(waiting_.begin(), waiting_.end(),
                                  [](const Message& message) { return message.borrows(); });
  for (auto at = first; at != waiting_.end(); ++at) pending_bytes_ -= at->total() - at->sent;
  waiting_.erase(first, waiting_.end());
}

void FrameWriter::Clear() noexcept {
  waiting_.clear();
  pending_bytes_ = 0;
}

}  // namespace mp
