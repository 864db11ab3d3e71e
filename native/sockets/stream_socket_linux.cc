// SPDX-License-Identifier: MIT
#include <sys/socket.h>

#include <cerrno>

#include "sockets/stream_socket.h"

namespace mp::stream_socket::platform {

int OpenSocket(int family, bool non_blocking) noexcept {
  const int fd =
      ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0), 0);
  return fd < 0 ? -errno : fd;
}

// Called after poll(). On Linux a connection stays in the queue until it is accepted, even when its
// peer has closed it.
int AcceptConnection(int fd, sockaddr* peer, socklen_t* size) noexcept {
  return ::accept4(fd, peer, size, SOCK_CLOEXEC);
}

int PrepareListening(int) noexcept { return 0; }

}  // namespace mp::stream_socket::platform
