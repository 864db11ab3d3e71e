// SPDX-License-Identifier: MIT
//
// Sockets before they are connected, as lib/native/addon.ts declares them. The rules are those of
// endpoint_api.cc. A socket is a watched descriptor of the environment until it becomes an
// endpoint.
#include <cerrno>
#include <cstring>
#include <utility>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "sockets/socket_address.h"
#include "sockets/stream_socket.h"

namespace mp {

namespace {

// (ip, name, port) at argument `first`: four bytes of an address, or the bytes of a unix name.
template <size_t N>
int ReadAddress(const Args<N>& args, size_t first, SocketAddress* address) {
  const Bytes name = args.Bytes(first + 1);
  if (!args.Flag(first)) return address->SetUnix(name.data, name.size);
  if (name.size != SocketAddress::kIpBytes) return -EINVAL;
  address->SetIp(name.data, static_cast<uint16_t>(args.Size(first + 2)));
  return 0;
}

// Six bytes: the address and, big-endian, the port. Zeros for a unix socket.
void WriteAddress(const SocketAddress& address, const Bytes& out) {
  uint8_t bytes[SocketAddress::kIpBytes + 2] = {};
  if (address.is_ip()) {
    uint16_t port = 0;
    address.GetIp(bytes, &port);
    bytes[SocketAddress::kIpBytes] = static_cast<uint8_t>(port >> 8);
    bytes[SocketAddress::kIpBytes + 1] = static_cast<uint8_t>(port & 0xff);
  }
  if (out.size >= sizeof bytes) std::memcpy(out.data, bytes, sizeof bytes);
}

// The descriptor of an id, or -EBADF.
template <size_t N>
int FdOf(const Args<N>& args) {
  const AddonEnv::Pollable* pollable = args.addon().Find(args.Int(0));
  return pollable == nullptr ? -EBADF : pollable->fd();
}

napi_value Open(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int fd = stream_socket::Open(args.Flag(0), args.Flag(1));
  return args.Return(fd < 0 ? fd : args.addon().AddWatched(UniqueFd(fd)));
}

napi_value Bind(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  SocketAddress address;
  const int status = ReadAddress(args, 1, &address);
  const int fd = FdOf(args);
  if (fd < 0) return args.Return(fd);
  return args.Return(status < 0 ? status : stream_socket::Bind(fd, address));
}

napi_value Listen(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int fd = FdOf(args);
  return args.Return(fd < 0 ? fd : stream_socket::Listen(fd, args.Int(1)));
}

napi_value Accept(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int fd = FdOf(args);
  if (fd < 0) return args.Return(fd);
  SocketAddress peer;
  const int accepted = stream_socket::Accept(fd, &peer);
  if (accepted >= 0) WriteAddress(peer, args.Bytes(1));
  return args.Return(accepted);
}

napi_value Connect(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  SocketAddress address;
  const int status = ReadAddress(args, 1, &address);
  const int fd = FdOf(args);
  if (fd < 0) return args.Return(fd);
  return args.Return(status < 0 ? status : stream_socket::Connect(fd, address));
}

napi_value ConnectResult(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const int fd = FdOf(args);
  return args.Return(fd < 0 ? fd : stream_socket::ConnectResult(fd));
}

napi_value LocalAddress(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int fd = FdOf(args);
  SocketAddress address;
  const int status = fd < 0 ? fd : address.SetLocal(fd);
  if (status >= 0) WriteAddress(address, args.Bytes(1));
  return args.Return(status);
}

// take(id, ip): the connected descriptor, which the caller owns from now on.
napi_value Take(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  AddonEnv::Pollable* pollable = args.addon().Find(args.Int(0));
  if (pollable == nullptr || !pollable->watched) return args.Return(-EBADF);
  const int status = stream_socket::Finish(pollable->fd(), args.Flag(1));
  if (status < 0) return args.Return(status);
  args.addon().Arm(args.Int(0), 0);
  const int fd = pollable->watched.Release();
  args.addon().Release(args.Int(0));
  return args.Return(fd);
}

// limitSilence(fd, ms)
napi_value LimitSilence(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(stream_socket::LimitSilence(args.Int(0), args.Int(1)));
}

}  // namespace

void ExportSocketApi(napi_env env, napi_value exports) {
  const NamedFunction functions[] = {
      {"open", Open},
      {"bind", Bind},
      {"listen", Listen},
      {"accept", Accept},
      {"connect", Connect},
      {"connectResult", ConnectResult},
      {"localAddress", LocalAddress},
      {"take", Take},
      {"limitSilence", LimitSilence},
  };
  napi_value sockets = ExportObject(env, exports, "sockets");
  ExportFunctions(env, sockets, functions);
}

}  // namespace mp
