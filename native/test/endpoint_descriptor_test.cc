// SPDX-License-Identifier: MIT
//
// Descriptors that are sent over socketpairs, and those by which pipes are opened again.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "check.h"
#include "io/endpoint.h"
#include "pairs.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {
namespace {

// Sends `bytes` with `count` descriptors in one message, as no correct peer does.
ssize_t SendMany(int socket, Blob bytes, size_t count) {
  const UniqueFd any = AnyDescriptor();
  std::vector<int> numbers(count, any.get());
  std::vector<uint8_t> control(CMSG_SPACE(count * sizeof(int)), 0);
  iovec iov{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(control.size());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(count * sizeof(int)));
  std::memcpy(CMSG_DATA(header), numbers.data(), count * sizeof(int));
  return ::sendmsg(socket, &message, 0);
}

int64_t SendHandle(Endpoint& endpoint, UniqueFd fd) {
  endpoint.outbox().AppendDescriptor(std::move(fd));
  return endpoint.outbox().Flush(endpoint.sink(), {}, SIZE_MAX);
}

UniqueFd ReceiveHandle(Endpoint& endpoint) {
  const int64_t fd = endpoint.reader().ReadDescriptor(endpoint.source());
  Check(fd >= 0, "no descriptor: " + Shown(fd));
  return UniqueFd(static_cast<int>(fd));
}

const Test kArrives("descriptors: a descriptor arrives as another number for the same file", [] {
  for (const bool read_ahead : {false, true}) {
    EndpointPair pair(RawSocketPair(), IoMethod::kNoWait, read_ahead);
    RawPair sent = RawPipe();
    const int original = sent.reader.get();
    Equal(SendHandle(*pair.writer, UniqueFd(sys::Duplicate(original))), 1);
    const UniqueFd arrived = ReceiveHandle(*pair.reader);
    Check(arrived.get() != original);
    Check(IsCloseOnExec(arrived.get()), "close-on-exec");
    struct stat first {};
    struct stat second {};
    Equal(::fstat(original, &first), 0);
    Equal(::fstat(arrived.get(), &second), 0);
    Equal(first.st_ino, second.st_ino);
    Equal(first.st_dev, second.st_dev);
  }
});

const Test kAmong("descriptors: descriptors among messages that are read ahead", [] {
  for (const bool read_ahead : {false, true}) {
    EndpointPair pair(RawSocketPair(), IoMethod::kNoWait, read_ahead);
    Outbox& writer = pair.writer->outbox();
    const Blob message = Pattern(20);
    for (int i = 0; i < 10; i++) {
      writer.Append(message.data(), message.size());
      writer.AppendDescriptor(AnyDescriptor());
      writer.AppendDescriptor(AnyDescriptor());
    }
    Equal(writer.Flush(pair.writer->sink(), {}, SIZE_MAX), 30);
    for (int i = 0; i < 10; i++) {
      Blob received;
      Equal(ReceiveOn(*pair.reader, &received), 20);
      Check(received == message);
      Check(IsOpen(ReceiveHandle(*pair.reader).get()));
      Check(IsOpen(ReceiveHandle(*pair.reader).get()));
    }
    Equal(pair.reader->reader().ReadDescriptor(pair.reader->source()), -EAGAIN);
  }
});

const Test kMany("descriptors: several with one byte are all closed, and nothing more can be read",
                 [] {
                   for (const bool read_ahead : {false, true}) {
                     for (const size_t count : {size_t{2}, size_t{3}, size_t{100}, size_t{253}}) {
                       for (const bool asked_for : {false, true}) {
                         RawPair raw = RawSocketPair();
                         Equal(SendMany(raw.writer.get(), {1}, count), 1);
                         const int before = OpenDescriptors();
                         const auto reader =
                             MakeEndpoint(std::move(raw.reader), IoMethod::kNoWait, read_ahead);
                         Blob message;
                         Equal(asked_for ? reader->reader().ReadDescriptor(reader->source())
                                         : ReceiveOn(*reader, &message),
                               kUnexpectedDescriptor);
                         Equal(OpenDescriptors(), before, "while the endpoint lives");
                         Equal(ReceiveOn(*reader, &message), kUnreadable);
                       }
                     }
                   }
                 });

const Test kWithMessage("descriptors: a descriptor with the bytes of a message is refused", [] {
  for (const bool read_ahead : {false, true}) {
    for (const size_t size : {size_t{0}, size_t{3}, size_t{1000}}) {
      RawPair raw = RawSocketPair();
      const Blob bytes = Frame(Pattern(size));
      Equal(SendMany(raw.writer.get(), bytes, 1), bytes.size());
      const auto reader = MakeEndpoint(std::move(raw.reader), IoMethod::kNoWait, read_ahead);
      Blob message;
      Equal(ReceiveOn(*reader, &message), kUnexpectedDescriptor);
      Equal(ReceiveOn(*reader, &message), kUnreadable);
    }
  }
});

// While it exists, this process gets no further descriptor.
class NoFreeDescriptor {
 public:
  NoFreeDescriptor() {
    Equal(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoFreeDescriptor() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoFreeDescriptor(const NoFreeDescriptor&) = delete;
  NoFreeDescriptor& operator=(const NoFreeDescriptor&) = delete;

 private:
  rlimit before_{};
};

const Test kLost("descriptors: one for which no number is left is EMFILE, and the stream goes on",
                 [] {
                   for (const bool read_ahead : {false, true}) {
                     EndpointPair pair(RawSocketPair(), IoMethod::kNoWait, read_ahead);
                     Outbox& writer = pair.writer->outbox();
                     const Blob message = Pattern(20);
                     writer.Append(message.data(), message.size());
                     for (int i = 0; i < 3; i++) writer.AppendDescriptor(AnyDescriptor());
                     writer.Append(message.data(), message.size());
                     Equal(writer.Flush(pair.writer->sink(), {}, SIZE_MAX), 5);
                     Blob received;
                     {
                       const NoFreeDescriptor none;
                       Equal(ReceiveOn(*pair.reader, &received), 20);
                       for (int i = 0; i < 2; i++)
                         Equal(pair.reader->reader().ReadDescriptor(pair.reader->source()),
                               -EMFILE);
                     }
                     Check(IsOpen(ReceiveHandle(*pair.reader).get()));
                     Equal(ReceiveOn(*pair.reader, &received), 20);
                     Check(received == message);
                   }
                 });

const Test kLostInMessage("descriptors: a lost one in or with a message is refused as any other",
                          [] {
                            for (const bool read_ahead : {false, true}) {
                              for (const size_t count : {size_t{1}, size_t{2}, size_t{253}}) {
                                RawPair raw = RawSocketPair();
                                const Blob bytes = Frame(Pattern(100));
                                Equal(SendMany(raw.writer.get(), bytes, count), bytes.size());
                                const auto reader = MakeEndpoint(std::move(raw.reader),
                                                                 IoMethod::kNoWait, read_ahead);
                                const NoFreeDescriptor none;
                                Blob message;
                                Equal(ReceiveOn(*reader, &message), kUnexpectedDescriptor);
                                Equal(ReceiveOn(*reader, &message), kUnreadable);
                              }
                            }
                          });

const Test kMessageInstead("descriptors: a message where a descriptor is expected", [] {
  EndpointPair pair(RawSocketPair(), IoMethod::kNoWait);
  const Blob message = Pattern(3);
  Equal(pair.writer->outbox().Send(pair.writer->sink(), message.data(), 3), 0);
  Equal(pair.reader->reader().ReadDescriptor(pair.reader->source()), kNoDescriptor);
});

const Test kInFlight("descriptors: descriptors that were not received are closed with the sockets",
                     [] {
                       RawPair carried = RawPipe();
                       const auto reader = MakeEndpoint(std::move(carried.reader));
                       {
                         EndpointPair pair(RawSocketPair(), IoMethod::kNoWait);
                         Equal(SendHandle(*pair.writer, std::move(carried.writer)), 1);
                         Blob message;
                         Equal(ReceiveOn(*reader, &message), -EAGAIN,
                               "it is open until it is received");
                       }
                       Blob message;
                       Equal(ReceiveOn(*reader, &message), kEndOfFile);
                     });

const Test kNotOnPipe("descriptors: a pipe cannot carry descriptors", [] {
  EndpointPair pair(RawPipe(), IoMethod::kNoWait);
  Equal(SendHandle(*pair.writer, AnyDescriptor()), -ENOTSOCK);
});

const Test kReset("descriptors: a peer that closed with unread bytes resets the connection", [] {
  EndpointPair pair(RawSocketPair(), IoMethod::kNoWait);
  const Blob message = Pattern(3);
  Equal(pair.writer->outbox().Send(pair.writer->sink(), message.data(), 3), 0);
  pair.reader.reset();
  Blob received;
#ifdef __linux__
  Equal(ReceiveOn(*pair.writer, &received), -ECONNRESET);
#endif
  Equal(ReceiveOn(*pair.writer, &received), kEndOfFile);
  Equal(pair.writer->outbox().Send(pair.writer->sink(), message.data(), 3), -EPIPE);
});

// Regression: each of two threads opened the pipe again, and one of them closed what the other one
// was writing to. A queue's state pipe is written to without a lock.
const Test kReopenedAtOnce("endpoint: threads that write at the same time open a pipe again once",
                           [] {
                             int failed = 0;
                             for (int round = 0; round < 500; round++) {
                               const EndpointPair pair(RawPipe(), IoMethod::kReopen);
                               std::atomic<int> ready{0};
                               std::atomic<int> refused{0};
                               const auto write = [&] {
                                 const uint8_t byte = 7;
                                 const iovec iov{const_cast<uint8_t*>(&byte), 1};
                                 ready++;
                                 while (ready < 2) continue;
                                 for (int i = 0; i < 8; i++) {
                                   if (pair.writer->sink().Write(&iov, 1) != 1) refused++;
                                 }
                               };
                               std::thread other(write);
                               write();
                               other.join();
                               failed += refused;
                             }
                             Equal(failed, 0);
                           });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
