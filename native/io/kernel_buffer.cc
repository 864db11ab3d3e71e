// SPDX-License-Identifier: MIT
#include "io/kernel_buffer.h"

#include <sys/socket.h>

#include <atomic>
#include <cerrno>

#include "os/platform.h"

namespace mp {

namespace {

constexpr int kPipeBytes = 1024 * 1024;
// Linux counts its own records too, so a message needs about twice its length.
constexpr int kSocketBytes = 2 * 1024 * 1024;

std::atomic<int64_t> in_all{0};

int Size(int fd, bool socket) noexcept {
  if (!socket) return platform::PipeCapacity(fd);
  int size = 0;
  socklen_t length = sizeof size;
  return ::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0 ? size : -errno;
}

// Of a socket, what Size() returns is twice what it was set to.
int SetSize(int fd, bool socket, int size) noexcept {
  if (!socket) return platform::SetPipeCapacity(fd, size);
  return ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0 ? 0 : -errno;
}

bool Reserve(int64_t bytes) noexcept {
  int64_t now = in_all.load();
  while (now + bytes <= KernelBuffer::kMostInAll) {
    if (in_all.compare_exchange_weak(now, now + bytes)) return true;
  }
  return false;
}

}  // namespace

int64_t KernelBuffer::InAll() noexcept { return in_all.load(); }

KernelBuffer::~KernelBuffer() { in_all.fetch_sub(gained_); }

int KernelBuffer::Grow(int fd, bool socket) noexcept {
  if (gained_ > 0) return 1;
  const int before = Size(fd, socket);
  if (before < 0) return before;
  const int64_t wanted = (socket ? 2 * kSocketBytes : kPipeBytes) - int64_t{before};
  if (wanted <= 0 || !Reserve(wanted)) return 0;
  const int status = SetSize(fd, socket, socket ? kSocketBytes : kPipeBytes);
  const int after = Size(fd, socket);
  gained_ = status < 0 || after < before ? 0 : after - before;
  in_all.fetch_sub(wanted - gained_);
  before_ = before;
  if (status < 0 && status != -EPERM) return status;
  return gained_ > 0 ? 1 : 0;
}

int KernelBuffer::Shrink(int fd, bool socket) noexcept {
  if (gained_ == 0) return 0;
  const int status = SetSize(fd, socket, socket ? before_ / 2 : before_);
  if (status == -EBUSY) return status;
  in_all.fetch_sub(gained_);
  gained_ = 0;
  return 0;
}

}  // namespace mp
