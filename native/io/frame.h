// SPDX-License-Identifier: MIT
//
// The length header in front of every message, as Lib/multiprocessing/connection.py writes it:
// struct '!i' (big-endian, signed, 4 bytes), or for lengths above 2^31-1 the value -1 followed by
// struct '!Q' (8 bytes). Receivers accept either form for any length.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mp::frame {

inline constexpr size_t kShortHeaderBytes = 4;
inline constexpr size_t kLongHeaderBytes = 12;
inline constexpr uint64_t kMaxShortLength = 0x7fffffff;

// Writes the header for a message of `length` bytes and returns how many bytes it takes.
size_t EncodeHeader(uint64_t length, uint8_t out[kLongHeaderBytes]) noexcept;

enum class HeaderState : uint8_t { kIncomplete, kComplete, kInvalid };

// The number at the beginning of a header.
inline int32_t ShortLength(const uint8_t* bytes) noexcept {
  return static_cast<int32_t>(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
                              uint32_t{bytes[2]} << 8 | bytes[3]);
}

// As DecodeHeader, for a header whose number is negative.
HeaderState DecodeLongHeader(const uint8_t* bytes, size_t have, size_t* needed,
                             int64_t* length) noexcept;

// Decodes a header from its first `have` bytes. `needed` is how many bytes the header takes, as far
// as these bytes tell. `length` is set when the header is complete. For an invalid header it is the
// announced length. Inline, since the headers of many small messages are looked at in a row.
inline HeaderState DecodeHeader(const uint8_t* bytes, size_t have, size_t* needed,
                                int64_t* length) noexcept {
  *needed = kShortHeaderBytes;
  if (have < kShortHeaderBytes) return HeaderState::kIncomplete;
  *length = ShortLength(bytes);
  return *length >= 0 ? HeaderState::kComplete : DecodeLongHeader(bytes, have, needed, length);
}

}  // namespace mp::frame
