// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <utility>

#include "os/unique_fd.h"

namespace mp {

// A descriptor that came with a byte. It is lost if this process had no number left for it: then
// the kernel hands over the byte alone, and says that something was cut off.
class ArrivedDescriptor {
 public:
  ArrivedDescriptor() noexcept = default;
  explicit ArrivedDescriptor(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  static ArrivedDescriptor Lost() noexcept {
    ArrivedDescriptor lost;
    lost.lost_ = true;
    return lost;
  }

  // Whether one came, lost or not.
  explicit operator bool() const noexcept { return fd_ || lost_; }

  // The descriptor, which the caller owns then, or -EMFILE for a lost one. None is left here.
  [[nodiscard]] int Take() noexcept {
    return std::exchange(lost_, false) ? -EMFILE : fd_.Release();
  }
  void Reset() noexcept { *this = ArrivedDescriptor(); }

 private:
  UniqueFd fd_;
  bool lost_ = false;
};

// Where framed bytes come from and go to. Endpoint implements both over a descriptor, the C++ tests
// over scripts of short counts and errors. No call waits.
class ByteSource {
 public:
  // > 0 bytes read (fewer than asked for: nothing more is there now), 0 at the end of the stream,
  // or -errno (-EAGAIN: nothing is there now). A descriptor that came with the bytes belongs to the
  // last of them and is stored in `descriptor`. More than one, or a second one while `descriptor`
  // still holds the first, is -EBADMSG.
  virtual ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) = 0;

 protected:
  ~ByteSource() = default;
};

class ByteSink {
 public:
  // >= 0 bytes written (fewer than asked for: there is no more room now) or -errno (-EAGAIN: there
  // is no room now).
  virtual ssize_t Write(const iovec* iov, int count) = 0;
  // Sends one byte together with a descriptor: 1 or -errno.
  virtual ssize_t WriteDescriptor(uint8_t byte, int descriptor) = 0;

 protected:
  ~ByteSink() = default;
};

}  // namespace mp
