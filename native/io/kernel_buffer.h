// SPDX-License-Identifier: MIT
//
// The kernel's buffer for what is sent over a descriptor, which can be enlarged for a while: with
// room for a large message, its sender and its receiver change places a few times instead of
// dozens.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mp {

class KernelBuffer {
 public:
  KernelBuffer() = default;
  ~KernelBuffer();
  KernelBuffer(const KernelBuffer&) = delete;
  KernelBuffer& operator=(const KernelBuffer&) = delete;

  // What all enlarged buffers of the process may have together, beyond what they had before. Pipes
  // of one user share a limit beyond which new pipes in any program are small.
  static constexpr int64_t kMostInAll = 16 * 1024 * 1024;

  // 1 if the buffer is larger than it was made, 0 if the process has its share already or the
  // system allows no more, or -errno.
  int Grow(int fd, bool socket) noexcept;
  // The counterpart. -EBUSY if there is too much in a pipe; it can be repeated.
  int Shrink(int fd, bool socket) noexcept;

  static int64_t InAll() noexcept;

 private:
  int64_t gained_ = 0;
  int before_ = 0;
};

}  // namespace mp
