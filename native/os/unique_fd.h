// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include "os/sys.h"

namespace mp {

// Owns one file descriptor and closes it exactly once. Move-only; -1 means empty.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // Gives up ownership; the caller must close the returned descriptor.
  [[nodiscard]] int Release() noexcept { return std::exchange(fd_, -1); }

  void Reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) sys::Close(old);
  }

 private:
  int fd_ = -1;
};

static_assert(!std::is_copy_constructible_v<UniqueFd>, "a descriptor has one owner");

}  // namespace mp
