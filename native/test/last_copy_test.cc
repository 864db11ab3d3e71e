// SPDX-License-Identifier: MIT
//
// Reading ahead from a descriptor that another process passed on: only once its copy is closed.
#include <unistd.h>

#include "check.h"
#include "os/sys.h"
#include "pairs.h"

namespace mp::test {

namespace {

constexpr int kMessages = 40;

// Two readers of one end, as the processes have them: the one that passed it on, and the new owner.
struct Shared {
  std::shared_ptr<Endpoint> first;
  std::shared_ptr<Endpoint> second;
  std::shared_ptr<Endpoint> writer;

  explicit Shared(const Transport& transport) {
    RawPair raw = transport.make();
    UniqueFd copy(sys::Duplicate(raw.reader.get()));
    first = MakeEndpoint(std::move(raw.reader), transport.method, true);
    second = MakeEndpoint(std::move(copy), transport.method);
    writer = MakeEndpoint(std::move(raw.writer), transport.method);
    Check(first->StopReadingAhead(), "a new pair is read ahead");
    second->ReadAheadOnceAlone();
  }

  void Send(int count) {
    for (int i = 0; i < count; i++) {
      const auto byte = static_cast<uint8_t>(i);
      Check(writer->outbox().Send(writer->sink(), &byte, 1) >= 0);
    }
  }

  void Receive(int from, int to) {
    for (int i = from; i < to; i++) {
      Blob message;
      Equal(ReceiveOn(*second, &message), 1);
      Equal(message[0], static_cast<uint8_t>(i));
    }
  }

  int InKernel() const { return sys::BytesReadable(second->fd()); }
};

const Test kKept("last copy: no read goes beyond the message while another copy is open", [] {
  OnEveryTransport([](const Transport& transport) {
    Shared shared(transport);
    shared.Send(kMessages);
    shared.Receive(0, kMessages / 2);
    Equal(shared.InKernel(), kMessages / 2 * 5);
    Check(!shared.second->StopReadingAhead(), "it may not be passed on as the last copy");
  });
});

#ifdef F_SETSIG
const Test kClosed("last copy: reads go beyond the message once the other copy is closed", [] {
  OnEveryTransport([](const Transport& transport) {
    Shared shared(transport);
    shared.Send(kMessages);
    shared.Receive(0, 3);
    sys::MarkLastCopy(shared.first->fd(), true);
    shared.first.reset();
    shared.Receive(3, kMessages - 1);
    Equal(shared.InKernel(), 0);
    shared.Receive(kMessages - 1, kMessages);
    Check(shared.second->StopReadingAhead(), "it is the last copy");
    Check(!sys::IsMarkedLastCopy(shared.second->fd()), "passing it on takes the mark away");
    Check(!shared.second->StopReadingAhead(), "passed on twice");
  });
});

const Test kUnread("last copy: what was never read can be passed on as the last copy", [] {
  OnEveryTransport([](const Transport& transport) {
    Shared shared(transport);
    sys::MarkLastCopy(shared.first->fd(), true);
    Check(shared.second->StopReadingAhead());
  });
});
#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
