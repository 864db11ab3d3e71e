// SPDX-License-Identifier: MIT
//
// What the fuzz targets share. A target takes bytes and traps at the first thing that must not be.
#pragma once

#include <dirent.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace mp::fuzz {

// Ends the run: libFuzzer keeps the input.
inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not true: %s\n", what);
  std::abort();
}

inline int OpenDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  Require(directory != nullptr, "/proc/self/fd can be read");
  int count = 0;
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

// Decisions that follow from the input. At its end they are 0.
class Input {
 public:
  Input(const uint8_t* bytes, size_t size) noexcept : bytes_(bytes), size_(size) {}

  uint8_t Byte() noexcept {
    if (size_ == 0) return 0;
    size_--;
    return *bytes_++;
  }
  uint32_t Below(uint32_t limit) noexcept {
    const uint32_t value = Byte();
    return (limit > 256 ? value << 8 | Byte() : value) % limit;
  }
  // At most this many bytes.
  std::vector<uint8_t> Take(size_t most) {
    const size_t taken = most < size_ ? most : size_;
    std::vector<uint8_t> all(bytes_, bytes_ + taken);
    bytes_ += taken;
    size_ -= taken;
    return all;
  }
  size_t left() const noexcept { return size_; }

 private:
  const uint8_t* bytes_;
  size_t size_;
};

}  // namespace mp::fuzz
