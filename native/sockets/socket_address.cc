// SPDX-License-Identifier: MIT
#include "sockets/socket_address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace mp {

int SocketAddress::SetUnix(const uint8_t* name, size_t size) noexcept {
  // For an empty name Linux would choose one.
  if (size == 0) return -EINVAL;
  const bool abstract = name[0] == 0;
  if (!abstract && std::memchr(name, 0, size) != nullptr) return -EINVAL;
  sockaddr_un address{};
  // A path ends with a zero byte. An abstract name has none at its end: its length is given.
  if (size + (abstract ? 0 : 1) > sizeof address.sun_path) return -ENAMETOOLONG;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, size);
  storage_ = {};
  std::memcpy(&storage_, &address, sizeof address);
  size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  return 0;
}

void SocketAddress::SetIp(const uint8_t ip[kIpBytes], uint16_t port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  std::memcpy(&address.sin_addr, ip, kIpBytes);
  storage_ = {};
  std::memcpy(&storage_, &address, sizeof address);
  size_ = sizeof address;
}

int SocketAddress::SetLocal(int fd) noexcept {
  socklen_t* size = nullptr;
  sockaddr* room = Room(&size);
  return ::getsockname(fd, room, size) < 0 ? -errno : 0;
}

void SocketAddress::GetIp(uint8_t ip[kIpBytes], uint16_t* port) const noexcept {
  sockaddr_in address{};
  std::memcpy(&address, &storage_, sizeof address);
  std::memcpy(ip, &address.sin_addr, kIpBytes);
  *port = ntohs(address.sin_port);
}

sockaddr* SocketAddress::Room(socklen_t** size) noexcept {
  storage_ = {};
  size_ = sizeof storage_;
  *size = &size_;
  return reinterpret_cast<sockaddr*>(&storage_);
}

}  // namespace mp
