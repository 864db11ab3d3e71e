// SPDX-License-Identifier: MIT
//
// Real pipes, FIFOs and socketpairs, raw and as endpoints.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "check.h"
#include "io/endpoint.h"
#include "os/descriptor_kind.h"
#include "os/platform.h"
#include "os/sys.h"
#include "receiving.h"

namespace mp::test {

struct RawPair {
  UniqueFd reader;
  UniqueFd writer;
};

inline RawPair RawPipe() {
  int fds[2];
  Equal(platform::MakePipe(fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline RawPair RawSocketPair() {
  int fds[2];
  Equal(platform::MakeSocketPair(fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// The two ends of a pipe that had a name. They are ordinary open files, for which the kernel offers
// fewer I/O methods than for those of pipe2().
inline RawPair RawFifo() {
  char folder[] = "/tmp/native-test-XXXXXX";
  Check(::mkdtemp(folder) != nullptr, "mkdtemp");
  const std::string path = std::string(folder) + "/fifo";
  const int made = ::mkfifo(path.c_str(), 0600);
  RawPair pair;
  // The reader is opened first, without waiting for a writer, and made blocking afterwards.
  pair.reader.Reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  pair.writer.Reset(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ::unlink(path.c_str());
  ::rmdir(folder);
  Check(made == 0 && pair.reader && pair.writer, "mkfifo");
  ::fcntl(pair.reader.get(), F_SETFL, 0);
  return pair;
}

inline bool IsNonBlocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
inline bool IsCloseOnExec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

inline void SetNonBlocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

inline std::shared_ptr<Endpoint> MakeEndpoint(UniqueFd fd, IoMethod method = IoMethod::kNoWait,
                                              bool read_ahead = false) {
  sys::Description what;
  Equal(sys::Describe(fd.get(), &what), 0);
  Endpoint::Options options;
  options.max_message_bytes = kNoLimit;
  options.read_ahead = read_ahead;
  options.first_method = method;
  return std::make_shared<Endpoint>(std::move(fd), what, options);
}

struct EndpointPair {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;

  EndpointPair(RawPair pair, IoMethod method, bool read_ahead = false)
      : reader(MakeEndpoint(std::move(pair.reader), method, read_ahead)),
        writer(MakeEndpoint(std::move(pair.writer), method)) {}
};

// Every kind of stream with every I/O method.
struct Transport {
  const char* name;
  RawPair (*make)();
  IoMethod method;
};

inline constexpr Transport kTransports[] = {
    {"pipe, nowait", RawPipe, IoMethod::kNoWait}, {"pipe, reopen", RawPipe, IoMethod::kReopen},
    {"pipe, poll", RawPipe, IoMethod::kPoll},     {"fifo, nowait", RawFifo, IoMethod::kNoWait},
    {"fifo, poll", RawFifo, IoMethod::kPoll},     {"socketpair", RawSocketPair, IoMethod::kNoWait},
};

// Runs `body` for each of them and names the one that failed.
template <typename Body>
void OnEveryTransport(Body body) {
  for (const Transport& transport : kTransports) {
    try {
      body(transport);
    } catch (const std::exception& error) {
      throw std::runtime_error(std::string(transport.name) + ": " + error.what());
    }
  }
}

// Receives one message with the endpoint's own reader: its length, -EAGAIN or a failure.
inline int64_t ReceiveOn(Endpoint& endpoint, Blob* message) {
  Blob slab(FrameReader::kSmallBytes);
  FrameReader& reader = endpoint.reader();
  const int64_t status = reader.ReadSmall(endpoint.source(), slab.data(), UINT64_MAX);
  if (status >= 0) message->assign(slab.begin(), slab.begin() + status);
  if (status != kLargeMessage) return status;
  message->resize(static_cast<size_t>(reader.length()));
  const int64_t have =
      reader.ReadLarge(endpoint.source(), message->data(), message->size(), SIZE_MAX);
  return have >= 0 && have < static_cast<int64_t>(message->size()) ? -EAGAIN : have;
}

}  // namespace mp::test
