// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace mp {

// The address of a socket: a path, an abstract name (it begins with a zero byte; only Linux has
// such names), or an IPv4 address and a port.
class SocketAddress {
 public:
  static constexpr size_t kIpBytes = 4;

  // 0, -EINVAL for an empty name or a path with a zero byte in it, or -ENAMETOOLONG.
  int SetUnix(const uint8_t* name, size_t size) noexcept;
  void SetIp(const uint8_t ip[kIpBytes], uint16_t port) noexcept;
  // Sets the address that this socket itself has. 0 or -errno.
  int SetLocal(int fd) noexcept;

  bool is_ip() const noexcept { return storage_.ss_family == AF_INET; }
  // Only for an IP address.
  void GetIp(uint8_t ip[kIpBytes], uint16_t* port) const noexcept;

  // For system calls that read an address, and for those that write one.
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const noexcept { return size_; }
  sockaddr* Room(socklen_t** size) noexcept;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

}  // namespace mp
