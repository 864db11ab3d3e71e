// SPDX-License-Identifier: MIT
//
// Receives whole messages with a FrameReader, as lib/connection/receiving/receiver.ts does: small
// ones through a slab, large ones into memory that grows. With reading ahead, as many small ones as
// are there come at once, and are handed out one by one.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "io/frame_reader.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {

// So large that the limit has no effect.
constexpr uint64_t kNoLimit = 1ull << 40;

class Receiving {
 public:
  explicit Receiving(uint64_t max_message_bytes = kNoLimit, bool read_ahead = false)
      : reader(max_message_bytes) {
    reader.set_read_ahead(read_ahead);
  }

  FrameReader reader;
  Blob message;  // The last one that was complete.
  size_t budget = SIZE_MAX;
  size_t growth = 1 << 20;
  size_t room = FrameReader::kAheadBytes;

  // One attempt. The length of a complete message, -EAGAIN, or a failure.
  int64_t Try(ByteSource& source, uint64_t max_length = UINT64_MAX) {
    if (TakeFrame(max_length)) return static_cast<int64_t>(message.size());
    GiveBack();
    // A new slab each time: no attempt may depend on what an earlier one left there.
    Blob slab(room, 0xcc);
    const int64_t status = reader.ReadFrames(source, slab.data(), slab.size(), max_length);
    if (status >= 0) {
      frames_.assign(slab.begin(), slab.begin() + status);
      Check(TakeFrame(max_length), "a whole message is handed out");
      return static_cast<int64_t>(message.size());
    }
    if (status != kLargeMessage) return status;
    const auto length = static_cast<size_t>(reader.length());
    for (;;) {
      if (body_.size() < length) body_.resize(std::min(length, body_.size() + growth));
      const int64_t before = reader.received();
      const int64_t have = reader.ReadLarge(source, body_.data(), body_.size(), budget);
      if (have < 0) return have;
      if (have == static_cast<int64_t>(length)) {
        message = std::move(body_);
        body_.clear();
        return have;
      }
      if (have == before) return -EAGAIN;
    }
  }

  // Repeats the attempt while a scripted source says EAGAIN and has more to give.
  int64_t Receive(ScriptedSource& source, uint64_t max_length = UINT64_MAX) {
    for (;;) {
      const int64_t status = Try(source, max_length);
      if (status != -EAGAIN || source.dry()) return status;
    }
  }

  // How many bytes the reader has read and not handed out. They are removed from it.
  int64_t TakeHeld() {
    GiveBack();
    Blob bytes(FrameReader::kMaxHeldBytes);
    return reader.TakeOut(bytes.data());
  }

  void Expect(ScriptedSource& source, const Blob& expected, const std::string& what = "",
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Equal(Receive(source), expected.size(), what, file, line);
    Check(message == expected, what + ": the bytes differ", file, line);
  }

  // Whether the next attempt makes progress without a call.
  bool Ready() const { return !frames_.empty() || reader.Ready(); }

 private:
  bool TakeFrame(uint64_t max_length) {
    if (frames_.empty()) return false;
    size_t needed = 0;
    int64_t length = 0;
    const auto state = frame::DecodeHeader(frames_.data(), frames_.size(), &needed, &length);
    Check(state == frame::HeaderState::kComplete && needed == frame::kShortHeaderBytes);
    if (static_cast<uint64_t>(length) > max_length) return false;
    const auto body = frames_.begin() + static_cast<ptrdiff_t>(needed);
    message.assign(body, body + length);
    frames_.erase(frames_.begin(), body + length);
    return true;
  }

  // Only the reader knows how a message is refused, and what comes with a descriptor.
  void GiveBack() {
    if (!frames_.empty()) Equal(reader.PutIn(frames_.data(), frames_.size()), 0);
    frames_.clear();
  }

  Blob body_;
  Blob frames_;
};

// Both ways of reading must give the same results.
template <typename Body>
void WithAndWithoutReadAhead(Body body) {
  for (const bool read_ahead : {false, true}) body(read_ahead);
}

}  // namespace mp::test
