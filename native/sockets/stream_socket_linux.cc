// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <netinet/tcp.h>
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

int SetProbes(int fd, int seconds, int ms) noexcept {
  const auto set = [fd](int option, int value) {
    return ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
  };
  // The time of TCP_USER_TIMEOUT counts for the probes, too, in the place of their number.
  const bool done =
      set(TCP_KEEPIDLE, seconds) && set(TCP_KEEPINTVL, seconds) && set(TCP_USER_TIMEOUT, ms);
  return done ? 0 : -errno;
}

}  // namespace mp::stream_socket::platform
