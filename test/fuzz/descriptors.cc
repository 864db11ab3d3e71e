// SPDX-License-Identifier: MIT
//
// Messages and descriptors in any order over a socket: what arrives is a message, a handle or a
// failure, and each descriptor is closed in the end.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "fuzz.h"
#include "io/endpoint.h"
#include "os/platform.h"
#include "util/status.h"

namespace mp::fuzz {
namespace {

constexpr uint64_t kMaxMessage = 100'000;

std::unique_ptr<Endpoint> MakeEndpoint(int fd, bool read_ahead) {
  UniqueFd owned(fd);
  sys::Description what;
  Require(sys::Describe(fd, &what) == 0, "a socket is a stream");
  Endpoint::Options options;
  options.max_message_bytes = kMaxMessage;
  options.read_ahead = read_ahead;
  return std::make_unique<Endpoint>(std::move(owned), what, options);
}

// Sends these bytes together with `count` descriptors.
void SendWith(int fd, std::vector<uint8_t> bytes, size_t count) {
  if (bytes.empty()) bytes.push_back(0);
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  iovec iov{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++) {
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  (void)::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Receive(Endpoint& endpoint, Input* input) {
  std::vector<uint8_t> slab(FrameReader::kSmallBytes);
  FrameReader& reader = endpoint.reader();
  // Each attempt reads something, fails for good, or finds that nothing is there now.
  for (int attempt = 0; attempt < 2000; attempt++) {
    if (input->Below(3) == 1) {
      const int64_t status = reader.ReadDescriptor(endpoint.source());
      if (status >= 0) {
        Require(::fcntl(static_cast<int>(status), F_GETFD) == FD_CLOEXEC,
                "a handle is open and close-on-exec");
        ::close(static_cast<int>(status));
      }
      if (status == -EAGAIN || status == kEndOfFile) return;
    } else {
      int64_t status = reader.ReadSmall(endpoint.source(), slab.data(), UINT64_MAX);
      if (status == kLargeMessage) status = reader.SkipLarge(endpoint.source());
      if (status == -EAGAIN || status == kEndOfFile || status == kUnreadable) return;
    }
  }
}

void Run(Input input) {
  const int before = OpenDescriptors();
  {
    int fds[2];
    Require(platform::MakeSocketPair(fds) == 0, "socketpair");
    const UniqueFd sender(fds[0]);
    const bool read_ahead = (input.Byte() & 1) != 0;
    const std::unique_ptr<Endpoint> endpoint = MakeEndpoint(fds[1], read_ahead);
    Input decisions = input;
    while (input.left() > 0) {
      const uint32_t count = input.Below(8);
      SendWith(sender.get(), input.Take(input.Below(64)), count > 3 ? 0 : count);
      if (input.Below(4) == 0) Receive(*endpoint, &decisions);
    }
    ::shutdown(sender.get(), SHUT_WR);
    Receive(*endpoint, &decisions);
  }
  Require(OpenDescriptors() == before, "each descriptor is closed");
}

}  // namespace
}  // namespace mp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mp::fuzz::Run(mp::fuzz::Input(data, size));
  return 0;
}
