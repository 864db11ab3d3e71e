// SPDX-License-Identifier: MIT
#include "sockets/stream_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "check.h"
#include "pairs.h"

namespace mp::test {
namespace {

namespace socket = stream_socket;

const uint8_t kLoopback[] = {127, 0, 0, 1};

SocketAddress UnixAddress(const std::string& name) {
  SocketAddress address;
  Equal(address.SetUnix(reinterpret_cast<const uint8_t*>(name.data()), name.size()), 0);
  return address;
}

SocketAddress FreshName() {
  static int count = 0;
  return UnixAddress(std::string(1, '\0') + "native-test-" + std::to_string(::getpid()) + "-" +
                     std::to_string(count++));
}

struct Listening {
  UniqueFd fd;
  SocketAddress address;

  explicit Listening(bool ip, int backlog = 8) : fd(socket::Open(ip, false)) {
    Check(static_cast<bool>(fd));
    if (ip) {
      address.SetIp(kLoopback, 0);
    } else {
      address = FreshName();
    }
    Equal(socket::Bind(fd.get(), address), 0);
    Equal(socket::Listen(fd.get(), backlog), 0);
    if (ip) Equal(address.SetLocal(fd.get()), 0);
  }
};

UniqueFd Connected(const Listening& listening) {
  UniqueFd fd(socket::Open(listening.address.is_ip(), true));
  Check(IsNonBlocking(fd.get()));
  int status = socket::Connect(fd.get(), listening.address);
  if (status == -EINPROGRESS) {
    pollfd wanted{fd.get(), POLLOUT, 0};
    Equal(::poll(&wanted, 1, 10'000), 1);
    status = socket::ConnectResult(fd.get());
  }
  Equal(status, 0);
  Equal(socket::Finish(fd.get(), listening.address.is_ip()), 0);
  return fd;
}

const Test kBoth("stream socket: two ends, blocking and close-on-exec, for every kind of address",
                 [] {
                   for (const bool ip : {false, true}) {
                     const Listening listening(ip);
                     Check(IsCloseOnExec(listening.fd.get()));
                     SocketAddress peer;
                     Equal(socket::Accept(listening.fd.get(), &peer), -EAGAIN);
                     const UniqueFd near = Connected(listening);
                     const UniqueFd far(socket::Accept(listening.fd.get(), &peer));
                     Check(static_cast<bool>(far));
                     Equal(peer.is_ip(), ip);
                     for (const int fd : {near.get(), far.get()}) {
                       Check(IsCloseOnExec(fd));
                       Check(!IsNonBlocking(fd));
                     }
                     Equal(::write(near.get(), "x", 1), 1);
                     char byte = 0;
                     Equal(::read(far.get(), &byte, 1), 1);
                     Equal(byte, 'x');
                     Equal(socket::Accept(listening.fd.get(), &peer), -EAGAIN);
                   }
                 });

#ifdef __linux__
const Test kFlags("stream socket: a listening socket stays in blocking mode", [] {
  for (const bool ip : {false, true}) {
    const Listening listening(ip);
    const UniqueFd near = Connected(listening);
    SocketAddress peer;
    const UniqueFd far(socket::Accept(listening.fd.get(), &peer));
    Check(!IsNonBlocking(listening.fd.get()));
  }
});

const Test kFull("stream socket: connecting to a full queue is -EAGAIN, until there is room", [] {
  const Listening listening(false, 0);
  const UniqueFd first = Connected(listening);
  const UniqueFd second(socket::Open(false, true));
  Equal(socket::Connect(second.get(), listening.address), -EAGAIN);
  SocketAddress peer;
  const UniqueFd accepted(socket::Accept(listening.fd.get(), &peer));
  Equal(socket::Connect(second.get(), listening.address), 0);
});
#endif

const Test kNoDelay("stream socket: TCP sends small messages without delay", [] {
  const Listening listening(true);
  const UniqueFd near = Connected(listening);
  SocketAddress peer;
  const UniqueFd far(socket::Accept(listening.fd.get(), &peer));
  for (const int fd : {near.get(), far.get()}) {
    int on = 0;
    socklen_t size = sizeof on;
    Equal(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    Check(on != 0);
  }
});

const Test kSilence(
    "stream socket: TCP gives up a host that is silent, a unix socket does not know it", [] {
      const Listening listening(true);
      const UniqueFd near = Connected(listening);
      Equal(socket::LimitSilence(near.get(), 9000), 0);
      const Listening unix_listening(false);
      const UniqueFd unix_near = Connected(unix_listening);
      Check(socket::LimitSilence(unix_near.get(), 9000) < 0);
      int on = 0;
      socklen_t size = sizeof on;
      Equal(::getsockopt(near.get(), SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
      Check(on != 0);
#ifdef __linux__
      int value = 0;
      Equal(::getsockopt(near.get(), IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
      Equal(value, 3);
      Equal(::getsockopt(near.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
      Equal(value, 9000);
#endif
    });

const Test kGone("stream socket: a connection whose peer has closed it before it was accepted", [] {
  for (const bool ip : {false, true}) {
    const Listening listening(ip);
    {
      const UniqueFd near = Connected(listening);
      Equal(::write(near.get(), "x", 1), 1);
    }
    SocketAddress peer;
    const UniqueFd far(socket::Accept(listening.fd.get(), &peer));
    char byte = 0;
    Equal(::read(far.get(), &byte, 1), 1);
    Equal(::read(far.get(), &byte, 1), 0);
  }
});

const Test kRefused("stream socket: connecting to an address without a listener", [] {
  SocketAddress address;
  {
    const Listening listening(true);
    address = listening.address;
  }
  const UniqueFd ip(socket::Open(true, true));
  int status = socket::Connect(ip.get(), address);
  if (status == -EINPROGRESS) {
    pollfd wanted{ip.get(), POLLOUT, 0};
    Equal(::poll(&wanted, 1, 10'000), 1);
    status = socket::ConnectResult(ip.get());
  }
  Equal(status, -ECONNREFUSED);
  const UniqueFd unix_socket(socket::Open(false, true));
  Equal(socket::Connect(unix_socket.get(), UnixAddress("/nonexistent/socket")), -ENOENT);
});

const Test kStandardStreams("stream socket: a socket never has the number of a standard stream",
                            [] {
                              UniqueFd saved(sys::Duplicate(STDIN_FILENO));
                              ::close(STDIN_FILENO);
                              {
                                const Listening listening(false);
                                Check(listening.fd.get() > STDERR_FILENO);
                                const UniqueFd near = Connected(listening);
                                Check(near.get() > STDERR_FILENO);
                                SocketAddress peer;
                                const UniqueFd far(socket::Accept(listening.fd.get(), &peer));
                                Check(far.get() > STDERR_FILENO);
                              }
                              Equal(::dup2(saved.get(), STDIN_FILENO), STDIN_FILENO);
                            });

const Test kAddresses("socket address: invalid and longest names", [] {
  SocketAddress address;
  const auto set = [&](const std::string& name) {
    return address.SetUnix(reinterpret_cast<const uint8_t*>(name.data()), name.size());
  };
  const size_t room = sizeof(sockaddr_un::sun_path);
  Equal(set(""), -EINVAL);
  Equal(set(std::string("/tmp/a\0b", 8)), -EINVAL);
  Equal(set(std::string(room, 'x')), -ENAMETOOLONG);
  Equal(set(std::string(room - 1, 'x')), 0);
  Equal(set(std::string(room + 1, '\0')), -ENAMETOOLONG);
  Equal(set(std::string(room, '\0')), 0);
  Check(!address.is_ip());
});

const Test kIp("socket address: an IPv4 address is four bytes and a port", [] {
  SocketAddress address;
  const uint8_t ip[] = {127, 1, 2, 3};
  address.SetIp(ip, 54321);
  Check(address.is_ip());
  uint8_t found[4] = {};
  uint16_t port = 0;
  address.GetIp(found, &port);
  Equal(port, 54321);
  for (int i = 0; i < 4; i++) Equal(found[i], ip[i]);
  SocketAddress none;
  Equal(none.SetLocal(-1), -EBADF);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
