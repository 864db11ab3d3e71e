// SPDX-License-Identifier: MIT
#include "io/endpoint.h"

#include <limits.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "check.h"
#include "pairs.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {
namespace {

ssize_t WriteAll(Endpoint& endpoint, const Blob& bytes) {
  const iovec iov{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  return endpoint.sink().Write(&iov, 1);
}

ssize_t ReadSome(Endpoint& endpoint, Blob* bytes) {
  ArrivedDescriptor descriptor;
  const iovec iov{bytes->data(), bytes->size()};
  return endpoint.source().Read(&iov, 1, &descriptor);
}

const Test kMessages(
    "endpoint: small messages, and large ones that the kernel takes in pieces", [] {
      OnEveryTransport([](const Transport& transport) {
        for (const bool read_ahead : {false, true}) {
          EndpointPair pair(transport.make(), transport.method, read_ahead);
          for (const size_t size : {size_t{0}, size_t{5}, size_t{4092}, size_t{4093}, size_t{65536},
                                    size_t{65537}, size_t{1000000}}) {
            const Blob message = Pattern(size);
            int64_t sent = pair.writer->outbox().Send(pair.writer->sink(), message.data(), size);
            Check(sent >= 0, Shown(sent));
            Blob received;
            int64_t status = -EAGAIN;
            for (int i = 0; i < 100000 && status == -EAGAIN; i++) {
              status = ReceiveOn(*pair.reader, &received);
              const FrameWriter::Borrowed borrowed{message.data(), message.size()};
              sent = pair.writer->outbox().Flush(pair.writer->sink(), borrowed, SIZE_MAX);
              Check(sent >= 0 || sent == -EAGAIN, Shown(sent));
            }
            Equal(status, size);
            Check(received == message);
            Check(pair.writer->outbox().empty());
          }
        }
      });
    });

const Test kEmpty("endpoint: an empty and a full pipe are EAGAIN on a blocking descriptor", [] {
  OnEveryTransport([](const Transport& transport) {
    EndpointPair pair(transport.make(), transport.method);
    Blob bytes(100);
    Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
    ssize_t n = 0;
    while (n >= 0) n = WriteAll(*pair.writer, Pattern(3000));
    Equal(n, -EAGAIN);
    Equal(ReadSome(*pair.reader, &bytes), 100);
  });
});

const Test kFlags("endpoint: the descriptor is never made non-blocking", [] {
  OnEveryTransport([](const Transport& transport) {
    RawPair raw = transport.make();
    // The flag belongs to the open file that both numbers refer to, as it would in another process.
    const UniqueFd reader(sys::Duplicate(raw.reader.get()));
    const UniqueFd writer(sys::Duplicate(raw.writer.get()));
    EndpointPair pair(std::move(raw), transport.method);
    Blob bytes(10);
    Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
    Equal(WriteAll(*pair.writer, bytes), 10);
    Equal(ReadSome(*pair.reader, &bytes), 10);
    for (const int fd : {reader.get(), writer.get(), pair.reader->fd(), pair.writer->fd()}) {
      Check(!IsNonBlocking(fd));
    }
  });
});

const Test kAlreadyNonBlocking("endpoint: a descriptor that is non-blocking already", [] {
  OnEveryTransport([](const Transport& transport) {
    RawPair raw = transport.make();
    SetNonBlocking(raw.reader.get());
    SetNonBlocking(raw.writer.get());
    EndpointPair pair(std::move(raw), transport.method);
    Blob bytes(10);
    Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
    Equal(WriteAll(*pair.writer, Pattern(7)), 7);
    Equal(ReadSome(*pair.reader, &bytes), 7);
    ssize_t n = 0;
    while (n >= 0) n = WriteAll(*pair.writer, Pattern(3000));
    Equal(n, -EAGAIN);
    Check(IsNonBlocking(pair.reader->fd()));
    Check(IsNonBlocking(pair.writer->fd()));
  });
});

const Test kEnd("endpoint: the end follows what was written, and is reported again and again", [] {
  OnEveryTransport([](const Transport& transport) {
    EndpointPair pair(transport.make(), transport.method);
    // Both ends have chosen their I/O method before the writer is closed.
    Blob bytes(10);
    Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
    Equal(WriteAll(*pair.writer, Pattern(4)), 4);
    pair.writer.reset();
    Equal(ReadSome(*pair.reader, &bytes), 4);
    Equal(ReadSome(*pair.reader, &bytes), 0);
    Equal(ReadSome(*pair.reader, &bytes), 0);
  });
});

const Test kEndAtFirstUse("endpoint: the first call can find the end, too", [] {
  OnEveryTransport([](const Transport& transport) {
    EndpointPair pair(transport.make(), transport.method);
    pair.writer.reset();
    Blob bytes(10);
    Equal(ReadSome(*pair.reader, &bytes), 0);
  });
});

const Test kBroken("endpoint: writing without a reader fails, at first use and later", [] {
  OnEveryTransport([](const Transport& transport) {
    for (const bool used_before : {false, true}) {
      EndpointPair pair(transport.make(), transport.method);
      if (used_before) {
        Blob bytes(10);
        Equal(WriteAll(*pair.writer, Pattern(4)), 4);
        Equal(ReadSome(*pair.reader, &bytes), 4);
      }
      pair.reader.reset();
      for (int i = 0; i < 2; i++) Equal(WriteAll(*pair.writer, Pattern(4)), -EPIPE);
    }
  });
});

#ifdef __linux__
const Test kNoSignal("endpoint: writing without a reader raises no signal", [] {
  // Node restores the default action, which ends the process, once a listener was added and
  // removed.
  static std::atomic<int> raised;
  raised = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { raised++; };
  ::sigaction(SIGPIPE, &action, &before);
  OnEveryTransport([](const Transport& transport) {
    for (const bool used_before : {false, true}) {
      EndpointPair pair(transport.make(), transport.method);
      if (used_before) Equal(WriteAll(*pair.writer, Pattern(4)), 4);
      pair.reader.reset();
      Equal(WriteAll(*pair.writer, Pattern(4)), -EPIPE);
      Equal(WriteAll(*pair.writer, Pattern(100000)), -EPIPE);
    }
  });
  // A later signal is neither blocked nor lost.
  ::raise(SIGPIPE);
  ::sigaction(SIGPIPE, &before, nullptr);
  Equal(raised.load(), 1);
});
#endif

const Test kCloseOnExec("endpoint: the descriptor is close-on-exec from adoption", [] {
  OnEveryTransport([](const Transport& transport) {
    RawPair raw = transport.make();
    ::fcntl(raw.reader.get(), F_SETFD, 0);
    ::fcntl(raw.writer.get(), F_SETFD, 0);
    EndpointPair pair(std::move(raw), transport.method);
    Check(IsCloseOnExec(pair.reader->fd()));
    Check(IsCloseOnExec(pair.writer->fd()));
  });
});

const Test kOwns("endpoint: Owns() knows the descriptor of every endpoint that exists", [] {
  RawPair raw = RawPipe();
  const int number = raw.reader.get();
  Check(!Endpoint::Owns(number));
  auto endpoint = MakeEndpoint(std::move(raw.reader));
  Equal(endpoint->fd(), number);
  Check(Endpoint::Owns(number));
  Check(!Endpoint::Owns(raw.writer.get()));
  Check(!Endpoint::Owns(-1));
  endpoint.reset();
  Check(!Endpoint::Owns(number));
});

const Test kLastReference(
    "endpoint: the last reference closes the descriptor, and no earlier one does", [] {
      OnEveryTransport([](const Transport& transport) {
        EndpointPair pair(transport.make(), transport.method);
        Blob bytes(10);
        Equal(WriteAll(*pair.writer, Pattern(1)), 1);
        Equal(ReadSome(*pair.reader, &bytes), 1);
        std::shared_ptr<Endpoint> other = pair.writer;
        const int number = other->fd();
        pair.writer.reset();
        Check(IsOpen(number));
        Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
        other.reset();
        Check(!IsOpen(number));
        Equal(ReadSome(*pair.reader, &bytes), 0);
      });
    });

const Test kSocket("endpoint: a socket is distinguished from a pipe", [] {
  EndpointPair pipe(RawPipe(), IoMethod::kNoWait);
  Check(!pipe.reader->is_socket() && !pipe.writer->is_socket());
  EndpointPair sockets(RawSocketPair(), IoMethod::kNoWait);
  Check(sockets.reader->is_socket() && sockets.writer->is_socket());
});

const Test kFallback("endpoint: a FIFO falls back to an I/O method that the kernel supports", [] {
  RawPair raw = RawFifo();
  uint8_t byte = 0;
  const iovec iov{&byte, 1};
  // The expectation depends on what the kernel says: a later one may support FIFOs, too.
  const bool supported = platform::ReadNoWait(raw.reader.get(), &iov, 1) == -EAGAIN;
  EndpointPair pair(std::move(raw), IoMethod::kNoWait);
  Equal(pair.reader->method(false), IoMethod::kNoWait);
  Blob bytes(10);
  Equal(ReadSome(*pair.reader, &bytes), -EAGAIN);
  Equal(WriteAll(*pair.writer, Pattern(3)), 3);
  Equal(ReadSome(*pair.reader, &bytes), 3);
#ifdef __linux__
  Equal(pair.reader->method(false), supported ? IoMethod::kNoWait : IoMethod::kReopen);
  Equal(pair.writer->method(true), supported ? IoMethod::kNoWait : IoMethod::kReopen);
#else
  Check(!supported);
  Equal(pair.reader->method(false), IoMethod::kPoll);
#endif
});

const Test kReopenFails("endpoint: a FIFO end that cannot be opened again is polled", [] {
  // The kernel refuses to open a FIFO's writer without waiting when there is no reader.
  EndpointPair pair(RawFifo(), IoMethod::kReopen);
  pair.reader.reset();
  Equal(WriteAll(*pair.writer, Pattern(3)), -EPIPE);
  Equal(pair.writer->method(true), IoMethod::kPoll);
});

#ifdef F_SETPIPE_SZ
const Test kPollNeverWaits("endpoint: with the poll method no write is larger than the room", [] {
  RawPair raw = RawPipe();
  ::fcntl(raw.writer.get(), F_SETPIPE_SZ, 4 * 4096);
  EndpointPair pair(std::move(raw), IoMethod::kPoll);
  const Blob expected = Pattern(200000);
  size_t written = 0;
  Blob received;
  // A write that waits would never return, since the same thread reads.
  while (received.size() < expected.size()) {
    ssize_t n = 0;
    while (n >= 0 && written < expected.size()) {
      const Blob rest(expected.begin() + static_cast<std::ptrdiff_t>(written), expected.end());
      n = WriteAll(*pair.writer, rest);
      if (n > 0) written += static_cast<size_t>(n);
    }
    // An odd size, so that the room is not a whole number of pages.
    Blob some(4097);
    const ssize_t got = ReadSome(*pair.reader, &some);
    Check(got > 0, Shown(got));
    AppendTo(received, Blob(some.begin(), some.begin() + got));
  }
  Check(received == expected);
});
#endif

const Test kManyParts("endpoint: a list of many parts", [] {
  OnEveryTransport([](const Transport& transport) {
    EndpointPair pair(transport.make(), transport.method);
    const Blob bytes = Pattern(1280);
    std::vector<iovec> parts;
    for (size_t i = 0; i < 128; i++) {
      parts.push_back({const_cast<uint8_t*>(bytes.data() + 10 * i), 10});
    }
    size_t written = 0;
    while (written < bytes.size()) {
      std::vector<iovec> rest;
      size_t skip = written;
      for (const iovec& part : parts) {
        const size_t skipped = std::min(skip, part.iov_len);
        skip -= skipped;
        if (skipped < part.iov_len) {
          rest.push_back({static_cast<uint8_t*>(part.iov_base) + skipped, part.iov_len - skipped});
        }
      }
      const ssize_t n = pair.writer->sink().Write(rest.data(), static_cast<int>(rest.size()));
      Check(n > 0, Shown(n));
      written += static_cast<size_t>(n);
    }
    Blob received(2000);
    Equal(ReadSome(*pair.reader, &received), bytes.size());
    received.resize(bytes.size());
    Check(received == bytes);
  });
});

const Test kThreads(
    "endpoint: a thread on each end, while a third one asks which descriptors are owned", [] {
      OnEveryTransport([](const Transport& transport) {
        EndpointPair pair(transport.make(), transport.method, true);
        constexpr size_t kCount = 300;
        const auto size_of = [](size_t i) { return i % 50 == 7 ? size_t{90000} : i % 200; };
        const auto wait_for = [](int fd, short events) {
          pollfd wanted{fd, events, 0};
          (void)platform::WaitForEvents(&wanted, 1, -1);
        };
        std::thread sender([&] {
          Endpoint& endpoint = *pair.writer;
          for (size_t i = 0; i < kCount; i++) {
            const Blob message = Pattern(size_of(i), static_cast<uint8_t>(i));
            int64_t status =
                endpoint.outbox().Send(endpoint.sink(), message.data(), message.size());
            while (!endpoint.outbox().empty() && status > -4096) {
              wait_for(endpoint.fd(), POLLOUT);
              status = endpoint.outbox().Flush(endpoint.sink(), {message.data(), message.size()},
                                               SIZE_MAX);
            }
          }
        });
        std::thread asker([] {
          for (int i = 0; i < 1000; i++) {
            RawPair raw = RawPipe();
            const auto endpoint = MakeEndpoint(std::move(raw.reader));
            (void)Endpoint::Owns(endpoint->fd());
          }
        });
        size_t wrong = 0;
        for (size_t i = 0; i < kCount; i++) {
          Blob message;
          int64_t status = -EAGAIN;
          while ((status = ReceiveOn(*pair.reader, &message)) == -EAGAIN) {
            wait_for(pair.reader->fd(), POLLIN);
          }
          if (message != Pattern(size_of(i), static_cast<uint8_t>(i))) wrong++;
        }
        sender.join();
        asker.join();
        Equal(wrong, 0u);
      });
    });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
