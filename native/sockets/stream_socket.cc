// SPDX-License-Identifier: MIT
#include "sockets/stream_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/sys.h"

namespace mp::stream_socket {

namespace {

int LiftAboveStandardStreams(UniqueFd fd) noexcept {
  if (fd.get() > STDERR_FILENO || fd.get() < 0) return fd.Release();
  return sys::Duplicate(fd.get());
}

// Errors of one connection that accept() reports although the listening socket is fine.
bool ConcernsConnectionOnly(int status) noexcept {
  switch (-status) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

int Open(bool ip, bool non_blocking) noexcept {
  const int fd = platform::OpenSocket(ip ? AF_INET : AF_UNIX, non_blocking);
  return fd < 0 ? fd : LiftAboveStandardStreams(UniqueFd(fd));
}

int Bind(int fd, const SocketAddress& address) noexcept {
  if (address.is_ip()) {
    // Otherwise a server could not be restarted while connections of its previous run linger.
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  return ::bind(fd, address.get(), address.size()) < 0 ? -errno : 0;
}

int Listen(int fd, int backlog) noexcept {
  const int prepared = platform::PrepareListening(fd);
  if (prepared < 0) return prepared;
  return ::listen(fd, backlog) < 0 ? -errno : 0;
}

int Accept(int fd, SocketAddress* peer) noexcept {
  // At most as many skipped connections as a listener's queue usually holds.
  for (int i = 0; i < 128; i++) {
    pollfd listening{fd, POLLIN, 0};
    const int ready = sys::RetryOnInterrupt([&] { return ::poll(&listening, 1, 0); });
    if (ready < 0) return ready;
    if (ready == 0) return -EAGAIN;
    socklen_t* size = nullptr;
    sockaddr* room = peer->Room(&size);
    const int accepted =
        sys::RetryOnInterrupt([&] { return platform::AcceptConnection(fd, room, size); });
    if (ConcernsConnectionOnly(accepted)) continue;
    if (accepted < 0) return accepted;
    UniqueFd connection(LiftAboveStandardStreams(UniqueFd(accepted)));
    if (!connection) return connection.Release();
    const int finished = Finish(connection.get(), peer->is_ip());
    return finished < 0 ? finished : connection.Release();
  }
  return -EAGAIN;
}

int Connect(int fd, const SocketAddress& address) noexcept {
  if (::connect(fd, address.get(), address.size()) == 0) return 0;
  // After an interruption or a second call connecting goes on.
  return errno == EINTR || errno == EALREADY ? -EINPROGRESS : -errno;
}

int ConnectResult(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

int Finish(int fd, bool ip) noexcept {
  if (ip) {
    // A message is written whole, so waiting for more bytes would only delay it.
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const int flags = sys::RetryOnInterrupt([fd] { return ::fcntl(fd, F_GETFL); });
  if (flags < 0) return flags;
  if ((flags & O_NONBLOCK) == 0) return 0;
  return sys::RetryOnInterrupt([=] { return ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); });
}

int LimitSilence(int fd, int ms) noexcept {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0) return -errno;
  return platform::SetProbes(fd, std::max(1, ms / 3000), ms);
}

}  // namespace mp::stream_socket
