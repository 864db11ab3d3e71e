// SPDX-License-Identifier: MIT
//
// macOS has neither SOCK_CLOEXEC nor accept4(), and SIGPIPE is turned off per socket. libuv spawns
// with POSIX_SPAWN_CLOEXEC_DEFAULT here, so a Node child does not inherit a descriptor even between
// its creation and F_SETFD.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "os/sys.h"
#include "sockets/stream_socket.h"

namespace mp::stream_socket::platform {

namespace {

int Protect(UniqueFd fd) noexcept {
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  const int status = sys::SetCloseOnExec(fd.get());
  return status < 0 ? status : fd.Release();
}

int SetNonBlocking(int fd) noexcept {
  const int flags = sys::RetryOnInterrupt([fd] { return ::fcntl(fd, F_GETFL); });
  if (flags < 0) return flags;
  return sys::RetryOnInterrupt([=] { return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK); });
}

}  // namespace

int OpenSocket(int family, bool non_blocking) noexcept {
  UniqueFd fd(::socket(family, SOCK_STREAM, 0));
  if (!fd) return -errno;
  if (non_blocking) {
    const int status = SetNonBlocking(fd.get());
    if (status < 0) return status;
  }
  return Protect(std::move(fd));
}

int AcceptConnection(int fd, sockaddr* peer, socklen_t* size) noexcept {
  UniqueFd connection(::accept(fd, peer, size));
  // The caller repeats the call if errno says EINTR.
  if (!connection) return -1;
  const int status = Protect(std::move(connection));
  if (status >= 0) return status;
  errno = -status;
  return -1;
}

// On macOS a connection that its peer closes leaves the queue, so accept() could wait although
// poll() has reported the connection. No other process has this descriptor: see stream_socket.h.
int PrepareListening(int fd) noexcept { return SetNonBlocking(fd); }

int SetProbes(int fd, int seconds, int ms) noexcept {
  const auto set = [fd](int option, int value) {
    return ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
  };
  const bool done = set(TCP_KEEPALIVE, seconds) && set(TCP_KEEPINTVL, seconds) &&
                    set(TCP_KEEPCNT, 3) && set(TCP_RXT_CONNDROPTIME, std::max(1, ms / 1000));
  return done ? 0 : -errno;
}

}  // namespace mp::stream_socket::platform
