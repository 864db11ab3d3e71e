// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include "os/unique_fd.h"

namespace mp {

// Where framed bytes come from and go to. Endpoint implements both over a descriptor, the C++ tests
// over scripts of short counts and errors. No call waits.
class ByteSource {
 public:
  // > 0 bytes read (fewer than asked for: nothing more is there now), 0 at the end of the stream,
  // or -errno (-EAGAIN: nothing is there now). A descriptor that came with the bytes belongs to the
  // last of them and is stored in `descriptor`. More than one, or a second one while `descriptor`
  // still holds the first, is -EBADMSG.
  virtual ssize_t Read(const iovec* iov, int count, UniqueFd* descriptor) = 0;

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
