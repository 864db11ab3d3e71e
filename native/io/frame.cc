// SPDX-License-Identifier: MIT
#include "io/frame.h"

#include <limits>

namespace mp::frame {

namespace {

void PutBigEndian(uint64_t value, size_t bytes, uint8_t* out) noexcept {
  for (size_t i = 0; i < bytes; i++) {
    out[i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
  }
}

uint64_t GetBigEndian(const uint8_t* in, size_t bytes) noexcept {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value = value << 8 | in[i];
  return value;
}

}  // namespace

size_t EncodeHeader(uint64_t length, uint8_t out[kLongHeaderBytes]) noexcept {
  if (length <= kMaxShortLength) {
    PutBigEndian(length, kShortHeaderBytes, out);
    return kShortHeaderBytes;
  }
  PutBigEndian(0xffffffff, kShortHeaderBytes, out);
  PutBigEndian(length, kLongHeaderBytes - kShortHeaderBytes, out + kShortHeaderBytes);
  return kLongHeaderBytes;
}

HeaderState DecodeLongHeader(const uint8_t* bytes, size_t have, size_t* needed,
                             int64_t* length) noexcept {
  // CPython takes any other negative length for an empty message, and then misreads what follows.
  if (*length != -1) return HeaderState::kInvalid;
  *needed = kLongHeaderBytes;
  if (have < kLongHeaderBytes) return HeaderState::kIncomplete;
  const uint64_t extended =
      GetBigEndian(bytes + kShortHeaderBytes, kLongHeaderBytes - kShortHeaderBytes);
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  *length = static_cast<int64_t>(extended > kMax ? kMax : extended);
  return extended > kMax ? HeaderState::kInvalid : HeaderState::kComplete;
}

}  // namespace mp::frame
