// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "os/platform.h"
#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp {

// A descriptor for poll sets that any thread can make readable. It is a pipe that no other process
// has, so it may be non-blocking. It works the same on every system.
class Wake {
 public:
  // 0 or -errno.
  int Open() noexcept {
    int fds[2];
    const int status = platform::MakePipe(fds);
    if (status < 0) return status;
    reader_.Reset(fds[0]);
    writer_.Reset(fds[1]);
    for (const int fd : fds) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return 0;
  }

  void Close() noexcept {
    reader_.Reset();
    writer_.Reset();
  }

  int fd() const noexcept { return reader_.get(); }

  // Any thread. A full pipe means that the reader is awake already. A signal that the kernel had no
  // memory for would leave its reader asleep for ever, so it is repeated.
  void Signal() noexcept {
    char byte = 0;
    const iovec iov{&byte, 1};
    while (sys::IsShortage(sys::Writev(writer_.get(), &iov, 1))) ::usleep(1000);
  }

  bool signaled() const noexcept { return sys::IsReady(reader_.get(), POLLIN); }

  // Makes it unreadable again.
  void Clear() noexcept {
    char bytes[64];
    const iovec iov{bytes, sizeof bytes};
    while (sys::Readv(reader_.get(), &iov, 1) == static_cast<ssize_t>(sizeof bytes)) {
    }
  }

 private:
  UniqueFd reader_;
  UniqueFd writer_;
};

}  // namespace mp
