// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace mp::sys {

// What a descriptor refers to, as far as framing over it is concerned.
enum class Kind : uint8_t { kPipe, kSocket, kOther };

struct Description {
  Kind kind = Kind::kOther;
  bool readable = false;
  bool writable = false;
  bool stream = false;  // A connected stream; false for datagrams and for listening sockets.
};

// 0 or -errno (EBADF for a number that is not open).
int Describe(int fd, Description* out) noexcept;

}  // namespace mp::sys
