// SPDX-License-Identifier: MIT
//
// Receives whole messages with a FrameReader, as lib/connection/receiver.ts does: small ones
// through a slab, large ones into memory that grows.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "io/frame_reader.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {

// So large that the limit plays no part.
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

  // One attempt. The length of a complete message, -EAGAIN, or a failure.
  int64_t Try(ByteSource& source, uint64_t max_length = UINT64_MAX) {
    // A new slab each time: nothing may depend on what an earlier attempt left there.
    Blob slab(FrameReader::kSmallBytes, 0xcc);
    const int64_t status = reader.ReadSmall(source, slab.data(), max_length);
    if (status != kLargeMessage) {
      if (status >= 0) message.assign(slab.begin(), slab.begin() + status);
      return status;
    }
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

  // How many bytes the reader has read and not handed out. It has them no longer.
  int64_t TakeHeld() {
    Blob bytes(FrameReader::kMostHeld);
    return reader.TakeOut(bytes.data());
  }

  void Expect(ScriptedSource& source, const Blob& expected, const std::string& what = "",
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Equal(Receive(source), expected.size(), what, file, line);
    Check(message == expected, what + ": the bytes differ", file, line);
  }

 private:
  Blob body_;
};

// Both ways of reading must give the same results.
template <typename Body>
void WithAndWithoutReadAhead(Body body) {
  for (const bool read_ahead : {false, true}) body(read_ahead);
}

}  // namespace mp::test
