// SPDX-License-Identifier: MIT
#include "io/frame.h"

#include <limits>
#include <string>

#include "check.h"
#include "scripted.h"

namespace mp::test {
namespace {

using frame::HeaderState;

struct Decoded {
  HeaderState state;
  size_t needed;
  int64_t length;
};

// The bytes are copied to memory of exactly their size, so that a sanitizer notices a read beyond
// it.
Decoded Decode(const Blob& bytes, size_t have) {
  const Blob exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(have));
  Decoded decoded{HeaderState::kInvalid, 0, -42};
  decoded.state = frame::DecodeHeader(exact.data(), have, &decoded.needed, &decoded.length);
  return decoded;
}

constexpr uint64_t kInt64Max = std::numeric_limits<int64_t>::max();

const uint64_t kLengths[] = {
    0,          1,          2,          255,         256,         16384,         16385,
    65535,      65536,      65537,      1 << 20,     0x7ffffffe,  0x7fffffff,    0x80000000,
    0x80000001, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001, kInt64Max - 1, kInt64Max};

const Test kRoundTrip("frame: every header is decoded to the length that was encoded", [] {
  for (const uint64_t length : kLengths) {
    uint8_t header[frame::kLongHeaderBytes];
    const size_t size = frame::EncodeHeader(length, header);
    Equal(size, length <= 0x7fffffff ? 4u : 12u, Shown(length));
    const Decoded decoded = Decode(Blob(header, header + size), size);
    Equal(decoded.state, HeaderState::kComplete, Shown(length));
    Equal(decoded.needed, size);
    Equal(decoded.length, length);
  }
});

const Test kWireBytes("frame: the bytes are those of struct '!i' and '!Q'", [] {
  uint8_t header[frame::kLongHeaderBytes];
  Equal(frame::EncodeHeader(2, header), 4u);
  Check(Blob(header, header + 4) == Blob{0, 0, 0, 2});
  Equal(frame::EncodeHeader(0x01020304, header), 4u);
  Check(Blob(header, header + 4) == Blob{1, 2, 3, 4});
  Equal(frame::EncodeHeader(0x7fffffff, header), 4u);
  Check(Blob(header, header + 4) == Blob{0x7f, 0xff, 0xff, 0xff});
  Equal(frame::EncodeHeader(0x80000000, header), 12u);
  Check(Blob(header, header + 12) == Blob{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0});
  Equal(frame::EncodeHeader(0x0102030405060708, header), 12u);
  Check(Blob(header, header + 12) == Blob{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8});
});

const Test kShortHeaderWritesFour(
    "frame: encoding a short header does not change the bytes behind it", [] {
      uint8_t header[frame::kLongHeaderBytes];
      std::memset(header, 0xaa, sizeof header);
      frame::EncodeHeader(5, header);
      for (size_t i = 4; i < sizeof header; i++) Equal(header[i], 0xaa);
    });

const Test kLongForm("frame: the long form is accepted for any length", [] {
  for (const uint64_t length : kLengths) {
    const Decoded decoded = Decode(LongHeader(length), 12);
    Equal(decoded.state, HeaderState::kComplete, Shown(length));
    Equal(decoded.needed, 12u);
    Equal(decoded.length, length);
  }
});

const Test kNegative("frame: a negative length other than -1 is invalid", [] {
  for (const int32_t length : {-2, -3, -256, -65536, -0x7fffffff, INT32_MIN}) {
    const Decoded decoded = Decode(ShortHeader(length), 4);
    Equal(decoded.state, HeaderState::kInvalid, Shown(length));
    Equal(decoded.length, length);
  }
});

const Test kBeyondInt64("frame: a long length that no int64 holds is invalid", [] {
  for (const uint64_t length : {kInt64Max + 1, kInt64Max + 2, UINT64_MAX - 1, UINT64_MAX}) {
    const Decoded decoded = Decode(LongHeader(length), 12);
    Equal(decoded.state, HeaderState::kInvalid, Shown(length));
    Equal(decoded.length, kInt64Max);
  }
});

const Test kIncomplete("frame: an incomplete header says how many bytes it needs", [] {
  for (size_t have = 0; have < 4; have++) {
    const Decoded decoded = Decode(ShortHeader(7), have);
    Equal(decoded.state, HeaderState::kIncomplete);
    Equal(decoded.needed, 4u);
  }
  for (size_t have = 0; have < 12; have++) {
    const Decoded decoded = Decode(LongHeader(7), have);
    Equal(decoded.state, HeaderState::kIncomplete);
    Equal(decoded.needed, have < 4 ? 4u : 12u);
  }
});

const Test kSurplus("frame: bytes behind the header do not matter", [] {
  for (const Blob& header : {ShortHeader(9), LongHeader(9)}) {
    Blob bytes = header;
    AppendTo(bytes, Blob(20, 0xee));
    const Decoded decoded = Decode(bytes, bytes.size());
    Equal(decoded.state, HeaderState::kComplete);
    Equal(decoded.needed, header.size());
    Equal(decoded.length, 9);
  }
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
