// SPDX-License-Identifier: MIT
#include "io/outbox.h"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "check.h"
#include "io/flush_thread.h"
#include "pairs.h"
#include "scripted.h"

namespace mp::test {
namespace {

constexpr Outbox::Borrowed kNothing{};

// What lib/connection/sending/send-slab.ts does.
class Gatherer {
 public:
  Gatherer() : memory_(1 + (SendSlab::kHeadBytes + 64 * 1024) / sizeof(int32_t)) {}

  SendSlab& slab() { return slab_; }

  void Put(const Blob& message) {
    const Blob bytes = Frame(message);
    const int32_t end = Word(SendSlab::kEnd).load() & ~SendSlab::kLate;
    std::memcpy(Memory() + SendSlab::kHeadBytes + end, bytes.data(), bytes.size());
    Word(SendSlab::kEnd).fetch_add(static_cast<int32_t>(bytes.size()));
  }

  bool is_late() { return Word(SendSlab::kEnd).load() < 0; }

 private:
  uint8_t* Memory() { return reinterpret_cast<uint8_t*>(memory_.data()); }
  std::atomic<int32_t>& Word(SendSlab::Word word) {
    return reinterpret_cast<std::atomic<int32_t>*>(Memory())[word];
  }

  std::vector<int32_t> memory_;
  SendSlab slab_{Memory(), memory_.size() * sizeof(int32_t)};
};

const Test kFrames("writer: several messages are one write, and each counts when it is complete",
                   [] {
                     Blob frames;
                     const size_t sizes[] = {0, 1, 64, 300};
                     for (const size_t size : sizes) AppendTo(frames, Frame(Pattern(size)));
                     for (ssize_t cut = 0; cut <= static_cast<ssize_t>(frames.size()); cut++) {
                       for (const bool behind_another : {false, true}) {
                         ScriptedSink sink;
                         FrameWriter writer;
                         if (behind_another) writer.Append(frames.data(), 5);
                         sink.script.Add({cut, 0});
                         int64_t done = std::max<int64_t>(
                             writer.SendFrames(sink, frames.data(), frames.size()), 0);
                         if (!behind_another) {
                           int64_t whole = 0;
                           size_t end = 0;
                           for (const size_t size : sizes)
                             whole += (end += 4 + size) <= static_cast<size_t>(cut);
                           Equal(done, whole);
                           Equal(writer.pending_bytes(), frames.size() - static_cast<size_t>(cut));
                         }
                         const int64_t number = writer.Append(frames.data(), 7);
                         Equal(number, behind_another ? 6 : 5);
                         for (ssize_t step = 1; !writer.empty(); step = step % 50 + 1) {
                           sink.script.Add({step});
                           done += std::max<int64_t>(writer.Flush(sink, kNothing, SIZE_MAX), 0);
                         }
                         Equal(done, number);
                         Blob expected;
                         if (behind_another)
                           AppendTo(expected, Frame(Blob(frames.begin(), frames.begin() + 5)));
                         AppendTo(expected, frames);
                         AppendTo(expected, Frame(Blob(frames.begin(), frames.begin() + 7)));
                         Check(sink.written == expected);
                         Equal(writer.pending_bytes(), 0u);
                       }
                     }
                   });

const Test kOrder("outbox: what is in the slab comes before whatever is sent after it", [] {
  ScriptedSink sink;
  Outbox outbox(SIZE_MAX);
  Gatherer gatherer;
  const Blob message = Pattern(50);
  outbox.Lend(&gatherer.slab(), 7);
  gatherer.Put(Pattern(10));
  gatherer.Put(Pattern(20));
  Equal(outbox.pending_bytes(), 38u);
  Equal(outbox.Append(message.data(), 50, SIZE_MAX), 3);
  Check(!gatherer.slab().is_lent());
  outbox.Lend(&gatherer.slab(), 7);
  gatherer.Put(Pattern(30));
  Equal(outbox.Flush(sink, kNothing, SIZE_MAX), 4);
  Blob expected = Frame(Pattern(10));
  for (const size_t size : {20, 50, 30}) AppendTo(expected, Frame(Pattern(size)));
  Check(sink.written == expected);
  Check(outbox.empty());
});

const Test kLate("outbox: another thread writes, and its work and its failure are reported", [] {
  ScriptedSink sink;
  Outbox outbox(SIZE_MAX);
  outbox.Accept(std::chrono::milliseconds(1000));
  Gatherer gatherer;
  outbox.Lend(&gatherer.slab(), 1);
  gatherer.Put(Pattern(10));
  Check(outbox.due() > 0);
  Check(outbox.FlushLate(sink));
  Check(sink.written == Frame(Pattern(10)));
  Equal(outbox.due(), 0);
  Check(gatherer.is_late());
  gatherer.Put(Pattern(20));
  outbox.Lend(&gatherer.slab(), 1);
  Check(!gatherer.is_late() && outbox.due() > 0);
  sink.script.Add({5});
  Check(!outbox.FlushLate(sink), "no room");
  Equal(outbox.Flush(sink, kNothing, 0), 1);
  sink.script.Add({-EPIPE});
  Check(outbox.FlushLate(sink));
  Equal(outbox.due(), 0);
  Equal(outbox.Flush(sink, kNothing, SIZE_MAX), -EPIPE);
  outbox.Clear();
  Check(outbox.empty() && !gatherer.slab().is_lent());
});

const Test kBorrowed("outbox: another thread leaves alone what is in memory of the caller's", [] {
  ScriptedSink sink;
  Outbox outbox(SIZE_MAX);
  outbox.Accept(std::chrono::milliseconds(1000));
  const Blob message = Pattern(100'000);
  outbox.Append(message.data(), message.size(), FrameWriter::kCopiedBytes);
  Check(outbox.due() > 0);
  while (outbox.due() != 0) outbox.FlushLate(sink);
  Equal(sink.written.size(), 4 + FrameWriter::kCopiedBytes);
  Check(!outbox.Abandon(sink));
  Check(outbox.empty());
});

const Test kThread("flush thread: writes what is due as there is room, while messages are added",
                   [] {
                     OnEveryTransport([](const Transport& transport) {
                       EndpointPair pair(transport.make(), transport.method);
                       Outbox& outbox = pair.writer->outbox();
                       outbox.Accept(std::chrono::milliseconds(60'000));
                       Gatherer gatherer;
                       constexpr size_t kMessages = 3000;
                       int wrong = 0;
                       std::thread reader([&] {
                         for (size_t i = 0; i < kMessages; i++) {
                           Blob message;
                           while (ReceiveOn(*pair.reader, &message) == -EAGAIN) {
                             pollfd ready{pair.reader->fd(), POLLIN, 0};
                             sys::Poll(&ready, 1, -1);
                           }
                           if (message != Pattern(i % 200, static_cast<uint8_t>(i))) wrong++;
                         }
                       });
                       outbox.Lend(&gatherer.slab(), 1);
                       FlushThread::Watch(pair.writer);
                       for (size_t i = 0; i < kMessages; i++) {
                         if (i % 64 == 0)
                           outbox.Flush(pair.writer->sink(), kNothing, i % 128 == 0 ? 0 : 1000);
                         if (i % 64 == 0 || gatherer.is_late()) {
                           outbox.Lend(&gatherer.slab(), 1);
                           FlushThread::Watch(pair.writer);
                         }
                         gatherer.Put(Pattern(i % 200, static_cast<uint8_t>(i)));
                         if (gatherer.is_late()) outbox.Lend(&gatherer.slab(), 1);
                         FlushThread::Watch(pair.writer);
                       }
                       reader.join();
                       Equal(wrong, 0);
                       outbox.Clear();
                       FlushThread::Forget(*pair.writer);
                     });
                   });

const Test kAdopted(
    "flush thread: an adopted endpoint is closed when all is written, or its time is up", [] {
      for (const bool reads : {true, false}) {
        EndpointPair pair(RawSocketPair(), IoMethod::kNoWait);
        pair.writer->outbox().Accept(std::chrono::milliseconds(0));
        const Blob message = Pattern(60'000);
        for (int i = 0; i < 20; i++) {
          pair.writer->outbox().Append(message.data(), message.size(), SIZE_MAX);
        }
        Check(pair.writer->outbox().Abandon(pair.writer->sink()));
        FlushThread::Adopt(std::move(pair.writer), std::chrono::milliseconds(reads ? 60'000 : 0));
        int received = 0;
        int64_t status = -EAGAIN;
        while (status == -EAGAIN || status >= 0) {
          Blob each;
          status = ReceiveOn(*pair.reader, &each);
          if (status >= 0) received++;
          pollfd ready{pair.reader->fd(), POLLIN, 0};
          if (status == -EAGAIN) sys::Poll(&ready, 1, -1);
        }
        Check(reads ? received == 20 : received < 20);
      }
    });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
