// SPDX-License-Identifier: MIT
//
// The frame reader over a stream that arrives in pieces, with pauses and errors, compared with a
// model that sees the whole stream.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fuzz.h"
#include "io/frame_reader.h"
#include "util/status.h"

namespace mp::fuzz {
namespace {

constexpr uint64_t kMaxMessage = 100'000;

class Stream final : public ByteSource {
 public:
  Stream(std::vector<uint8_t> bytes, Input* decisions)
      : bytes_(std::move(bytes)), decisions_(decisions) {}

  ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* /*descriptor*/) override {
    const uint32_t decision = decisions_->Below(8);
    if (decision == 1 && ++pauses_ < 1000) return -EAGAIN;
    if (decision == 2 && ++pauses_ < 1000) return -ENOMEM;
    size_t most = decision == 3 ? 1 : decision == 4 ? decisions_->Below(5000) + 1 : SIZE_MAX;
    ssize_t read = 0;
    for (int i = 0; i < count && most > 0; i++) {
      const size_t n = std::min({iov[i].iov_len, bytes_.size() - at_, most});
      if (n > 0) std::memcpy(iov[i].iov_base, bytes_.data() + at_, n);
      at_ += n;
      most -= n;
      read += static_cast<ssize_t>(n);
    }
    return read;
  }

 private:
  std::vector<uint8_t> bytes_;
  Input* decisions_;
  size_t at_ = 0;
  int pauses_ = 0;
};

// The next message of the whole stream, or what its reading must end with.
int64_t Model(const std::vector<uint8_t>& bytes, size_t* at, std::vector<uint8_t>* message) {
  if (*at == bytes.size()) return kEndOfFile;
  const auto number = [&](size_t from, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) value = value << 8 | bytes[from + i];
    return value;
  };
  if (bytes.size() - *at < 4) return kTruncated;
  uint64_t length = number(*at, 4);
  *at += 4;
  if (length == 0xffffffff) {
    if (bytes.size() - *at < 8) return kTruncated;
    length = number(*at, 8);
    *at += 8;
  } else if (length > 0x7fffffff) {
    return kBadLength;
  }
  if (length > kMaxMessage) return kBadLength;
  if (bytes.size() - *at < length) return kTruncated;
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(*at);
  message->assign(begin, begin + static_cast<std::ptrdiff_t>(length));
  *at += length;
  return static_cast<int64_t>(length);
}

bool IsPause(int64_t status) { return status == -EAGAIN || status == -ENOMEM; }

// One message, however often the reading pauses.
int64_t Receive(FrameReader& reader, Stream& stream, Input& decisions, std::vector<uint8_t>* out) {
  std::vector<uint8_t> slab(FrameReader::kSmallBytes);
  int64_t status;
  do {
    // A resumed message may come with other memory.
    std::fill(slab.begin(), slab.end(), uint8_t{0xa5});
    status = reader.ReadSmall(stream, slab.data(), UINT64_MAX);
  } while (IsPause(status));
  if (status >= 0) {
    Require(status <= static_cast<int64_t>(slab.size()), "a small message fits the slab");
    out->assign(slab.begin(), slab.begin() + static_cast<std::ptrdiff_t>(status));
  }
  if (status != kLargeMessage) return status;
  const auto length = static_cast<size_t>(reader.length());
  Require(length > FrameReader::kSmallBytes && length <= kMaxMessage, "a large message is large");
  out->assign(length, 0);
  do {
    const size_t size = std::min<size_t>(length, reader.received() + decisions.Below(60000) + 1);
    status = reader.ReadLarge(stream, out->data(), size, decisions.Below(60000) + 1);
  } while (IsPause(status) || (status >= 0 && static_cast<size_t>(status) < length));
  return status;
}

void Run(Input input) {
  const bool read_ahead = (input.Byte() & 1) != 0;
  Input decisions = input;
  const std::vector<uint8_t> decided = decisions.Take(input.Below(200));
  std::vector<uint8_t> bytes;
  while (input.left() > 0) {
    // A run of one byte, so that short inputs make long messages.
    if (input.Byte() == 0xf0) {
      const uint32_t length = input.Below(65536);
      bytes.insert(bytes.end(), length, input.Byte());
    } else {
      const std::vector<uint8_t> some = input.Take(input.Below(40) + 4);
      bytes.insert(bytes.end(), some.begin(), some.end());
    }
  }
  Input pieces(decided.data(), decided.size());
  Stream stream(bytes, &pieces);
  FrameReader reader(kMaxMessage);
  reader.set_read_ahead(read_ahead);
  size_t at = 0;
  int64_t expected;
  do {
    std::vector<uint8_t> model;
    std::vector<uint8_t> found;
    expected = Model(bytes, &at, &model);
    const int64_t status = Receive(reader, stream, pieces, &found);
    Require(status == expected, "the reader ends as the model");
    if (expected >= 0) Require(found == model, "the message is the one that was sent");
  } while (expected >= 0);
}

}  // namespace
}  // namespace mp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mp::fuzz::Run(mp::fuzz::Input(data, size));
  return 0;
}
