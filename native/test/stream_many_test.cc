// SPDX-License-Identifier: MIT
//
// Members that move several items in one call.
#include <algorithm>
#include <cerrno>
#include <exception>
#include <vector>

#include "streams.h"
#include "util/status.h"

namespace mp::test {
namespace {

// What is left; nothing, and one more in `broken`, if the queue is broken.
std::vector<size_t> GetAllUnlessBroken(const TestQueue& queue, int* broken) {
  try {
    return GetAll(queue);
  } catch (const std::exception&) {
    if (queue.state->Flags() == 0) throw;
    ++*broken;
    return {};
  }
}

const Test kReaderOfManyDies(
    "stream: a reader of many items that dies at any step loses those that it wanted and no other",
    [] {
      constexpr size_t kWanted = 3;
      for (const bool writes : {false, true}) {
        const int steps = AtEveryStep([&](int step) {
          const TestQueue queue(10);
          for (const size_t size : {10, 70, 40, 20, 50}) Equal(queue.Put(Pattern(size)), 0);
          // So that the sum of bytes alone tells less.
          if (writes) {
            DiesAtStep(7, [&](auto arm) {
              const auto member = Join(queue);
              arm();
              (void)member->Put(Pattern(60));
            });
          }
          const bool died = DiesAtStep(step, [&](auto arm) {
            const auto member = Join(queue);
            arm();
            std::vector<Blob> items;
            (void)member->GetMany(&items, kWanted);
          });
          const std::vector<size_t> got = GetAll(queue);
          const bool kept = got.size() >= 5;
          Check(kept || got.size() >= 2, Shown(got));
          Check(kept ? got[0] == 10 : got[0] == 20 && got[1] == 50, Shown(got));
          queue.slots->Check();
          const uint64_t lost = queue.record->layout().lost.load();
          if (!writes) Equal(got.size() + lost, size_t{5});
          ExpectRest(queue);
          queue.Settle();
          return died;
        });
        Check(steps > 8, Shown(steps));
      }
    });

const Test kRepairerOfManyDies(
    "stream: so does one that sets right what a reader of many items has left", [] {
      for (int first = 3; first < 20; first++) {
        AtEveryStep([&](int step) {
          const TestQueue queue(10);
          for (const size_t size : {10, 70, 40, 20, 50}) Equal(queue.Put(Pattern(size)), 0);
          DiesAtStep(first, [&](auto arm) {
            const auto member = Join(queue);
            arm();
            std::vector<Blob> items;
            (void)member->GetMany(&items, 3);
          });
          const bool died = DiesAtStep(step, [&](auto arm) {
            const auto member = Join(queue);
            arm();
            (void)member->rlock->CheckHolder();
            std::vector<Blob> items;
            (void)member->GetMany(&items, 1);
          });
          const std::vector<size_t> got = GetAll(queue);
          Check(!got.empty() && got.back() == 50, Shown(got));
          queue.slots->Check();
          Equal(got.size() + queue.record->layout().lost.load(), size_t{5});
          ExpectRest(queue);
          queue.Settle();
          return died;
        });
      }
    });

const Test kMany("stream: many items are read in their order, never more than wanted or than fit",
                 [] {
                   const TestQueue queue(10);
                   std::vector<Blob> items;
                   Equal(queue.GetMany(&items, 5), static_cast<int64_t>(-EAGAIN));
                   for (const size_t size : {10, 0, 40, 20, 16384, 16385, 50})
                     Check(queue.Put(Pattern(size)) >= 0);
                   Equal(queue.GetMany(&items, 3), int64_t{3 * 4 + 50});
                   Check(items == std::vector<Blob>{Pattern(10), {}, Pattern(40)});
                   Equal(Value(queue.rlock), 1);
                   Equal(queue.record->depth(), uint64_t{4});
                   Equal(queue.in_hand->slots(), 3u);
                   // The next two do not fit, and the last one is large.
                   Equal(queue.GetMany(&items, 9, FrameReader::kFrameBytes), int64_t{4 + 20});
                   Equal(queue.GetMany(&items, 9), int64_t{4 + 16384});
                   Equal(queue.GetMany(&items, 9), static_cast<int64_t>(kLargeMessage));
                   Blob item;
                   Equal(queue.Get(&item), 16385);
                   Equal(queue.GetMany(&items, 9), int64_t{4 + 50});
                   Equal(queue.GetMany(&items, 9), static_cast<int64_t>(-EAGAIN));
                   ExpectRest(queue, 7);
                   queue.Settle();
                 });

const Test kManyBroken("stream: many items whose headers are not what was noted break the queue",
                       [] {
                         const TestQueue queue(10);
                         Equal(queue.Put(Pattern(20)), 0);
                         uint8_t bytes[] = {0, 0, 0, 2, 65};
                         const iovec iov{bytes, sizeof bytes};
                         Equal(queue.wlock->TryAcquire(), 0);
                         queue.record->Note(sizeof bytes);
                         Equal(queue.record->Write(queue.pair.writer->sink(), &iov, 1), 5);
                         Equal(queue.wlock->Release(TrackedSemaphore::kNoLimit), 0);
                         std::vector<Blob> items;
                         Equal(queue.GetMany(&items, 9), static_cast<int64_t>(kQueueBroken));
                         Equal(queue.GetMany(&items, 9), static_cast<int64_t>(kQueueBroken));
                         queue.Settle();
                       });

// Notes what was said to be read when it is read.
class Watched final : public ByteSource {
 public:
  Watched(ByteSource& pipe, const StreamLayout& numbers) : pipe_(pipe), numbers_(numbers) {}
  ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) override {
    intent = numbers_.read_intent.load();
    return pipe_.Read(iov, count, descriptor);
  }
  uint64_t intent = 0;

 private:
  ByteSource& pipe_;
  const StreamLayout& numbers_;
};

// Regression: the reader took the difference for a huge number of bytes, and asked for more than
// there was. If it died then, its place in the stream was not known any more.
const Test kAhead("stream: a reader ahead of what the writer has said asks for what there is", [] {
  const TestQueue queue;
  StreamLayout& numbers = queue.record->layout();
  Watched pipe(queue.pair.reader->source(), numbers);
  RecordedSource source(*queue.record, pipe, queue.pair.reader->fd());
  Blob bytes(30000);
  ArrivedDescriptor none;
  queue.record->Note(10000);
  queue.record->Note(20000);
  numbers.write_intent.store(30000);
  const auto write = [&](size_t size) {
    const iovec iov{bytes.data(), size};
    Equal(queue.pair.writer->sink().Write(&iov, 1), size);
  };
  const iovec all{bytes.data(), bytes.size()};
  write(9000);
  Equal(source.Read(&all, 1, &none), 9000);
  write(500);
  Equal(source.Read(&all, 1, &none), 500);
  Equal(pipe.intent, 500u);
  write(600);
  Equal(source.Read(&all, 1, &none), 500);
  queue.record->Pass(false);
  uint64_t items = 0;
  Equal(source.ReadItems(all, 9, all.iov_len, &items), 0, "the next item is not whole");
  Equal(source.Read(&all, 1, &none), 100);
  Equal(pipe.intent, 100u);
  Equal(source.Read(&all, 1, &none), -EAGAIN);
  numbers.written.store(10100);
  numbers.write_intent.store(0);
});

const Test kWriterOfManyDies(
    "stream: a writer that gathers items and dies at any step loses its own and no other", [] {
      const std::vector<size_t> sizes{60, 70, 3000, 2000, 40, 50};
      for (const bool flushes : {true, false}) {
        const int steps = AtEveryStep([&](int step) {
          const TestQueue queue(20);
          Equal(queue.Put(Pattern(10)), 0);
          const bool died = DiesAtStep(step, [&](auto arm) {
            const auto member = Join(queue);
            arm();
            for (const size_t size : sizes) (void)member->Gather(Pattern(size), size != 60);
            if (flushes) member->writer->feeder()->Flush();
            SettleOrEnd(*member);
          });
          const auto accepted = static_cast<size_t>(Value(queue.unfinished) - 1);
          Check(queue.Put(Pattern(90)) >= 0);
          std::vector<size_t> got = GetAll(queue);
          Check(got.size() >= 2 && got.front() == 10 && got.back() == 90, Shown(got));
          got.erase(got.begin());
          got.pop_back();
          Check(std::equal(got.begin(), got.end(), sizes.begin()), Shown(got));
          queue.slots->Check();
          Equal(got.size() + queue.record->layout().lost.load(), accepted);
          ExpectRest(queue);
          queue.Settle();
          return died;
        });
        Check(steps > 30, Shown(steps));
      }
    });

// Regression: between two words of its record and of the stream record, items were neither accepted
// nor noted any more, and a kill there left them uncounted.
const Test kPlainWriterDies("stream: what a dead writer of a plain queue had accepted is counted",
                            [] {
                              constexpr size_t kItems = 6;
                              const int steps = AtEveryStep([&](int step) {
                                const TestQueue queue(20, true, true);
                                const bool died = DiesAtStep(step, [&](auto arm) {
                                  const auto member = Join(queue);
                                  for (size_t i = 0; i < kItems; i++)
                                    (void)member->Gather(Pattern(50 + i), true);
                                  arm();
                                  member->writer->feeder()->Flush();
                                  SettleOrEnd(*member);
                                });
                                const size_t got = GetAll(queue).size();
                                queue.slots->Check();
                                Equal(got + queue.record->lost(), kItems);
                                ExpectRest(queue);
                                queue.Settle();
                                return died;
                              });
                              Check(steps > 10, Shown(steps));
                            });

// The same for an item that is taken back, since the pipe has no room.
const Test kTakerBackDies("stream: a writer that finds the pipe full and dies loses its own item",
                          [] {
                            constexpr size_t kPages = 16;
                            uint64_t before = 0;
                            const int steps = AtEveryStep([&](int step) {
                              const TestQueue queue(40, true, true);
                              for (size_t i = 0; i < kPages; i++)
                                Equal(queue.Put(Pattern(4096 - 4)), 0);
                              const bool died = DiesAtStep(step, [&](auto arm) {
                                const auto member = Join(queue);
                                arm();
                                (void)member->Put(Pattern(70));
                                Step();
                              });
                              const size_t got = GetAll(queue).size();
                              queue.slots->Check();
                              // From the step on in which it was accepted, it is counted.
                              const uint64_t known = got - kPages + queue.record->lost();
                              Check(known <= 1 && known >= before, Shown(known));
                              before = known;
                              ExpectRest(queue);
                              queue.Settle();
                              return died;
                            });
                            Equal(before, 1u);
                            Check(steps > 10, Shown(steps));
                          });

// Regression: what another member may still finish was added to a number and then removed from the
// table. After a kill in between it was added once more, and what was lost later was never missed.
const Test kLeaverDies(
    "stream: one that dies while it notes what others may finish notes none twice", [] {
      const int steps = AtEveryStep([&](int step) {
        const TestQueue queue(10);
        StreamLayout& numbers = queue.record->layout();
        numbers.finished_elsewhere.store(1);
        Blob item;
        for (int i = 0; i < 3; i++) Equal(queue.Put(Pattern(20)), 0);
        for (int i = 0; i < 2; i++) {
          DiesAtStep(0, [&](auto arm) {
            const auto member = Join(queue);
            (void)member->Get(&item);
            arm();
            Step();
          });
        }
        const bool died = DiesAtStep(step, [&](auto arm) {
          const auto member = Join(queue);
          arm();
          member->slots->Check();
        });
        queue.slots->Check();
        Equal(queue.record->in_other_hands(), 2);
        Equal(queue.table->FindLeft(TestQueue::kUnfinished).record, 0u);
        for (int i = 0; i < 2; i++) Equal(queue.in_hand->TakeForSlot(&numbers.in_other_hands), 0);
        // An item that is lost later is missed.
        numbers.finished_elsewhere.store(0);
        DiesAtStep(0, [&](auto arm) {
          const auto member = Join(queue);
          (void)member->Get(&item);
          arm();
          Step();
        });
        queue.slots->Check();
        Equal(numbers.lost.load(), 1u);
        ExpectRest(queue);
        queue.Settle();
        return died;
      });
      Check(steps > 20, Shown(steps));
    });

// The sums of bytes are the same whether both calls were done or none of them.
const Test kBothDieWithMany(
    "stream: both sides die in calls that move as many bytes in other items, and go on", [] {
      const std::vector<std::vector<size_t>> kinds{{30, 10}, {10, 30}, {44}, {20, 20}};
      int broken = 0;
      for (const std::vector<size_t>& read : kinds) {
        for (const std::vector<size_t>& written : kinds) {
          for (int writer = 10; writer < 20; writer++) {
            for (int reader = 1; reader < 5; reader++) {
              const TestQueue queue(10);
              for (const size_t size : read) Equal(queue.Put(Pattern(size)), 0);
              DiesAtStep(writer, [&](auto arm) {
                const auto member = Join(queue);
                arm();
                for (const size_t size : written) (void)member->Gather(Pattern(size), true);
                member->writer->feeder()->Flush();
              });
              DiesAtStep(reader, [&](auto arm) {
                const auto member = Join(queue);
                arm();
                std::vector<Blob> items;
                (void)member->GetMany(&items, read.size());
              });
              (void)queue.Put(Pattern(7));
              const std::vector<size_t> got = GetAllUnlessBroken(queue, &broken);
              if (got.empty()) continue;
              Equal(got.back(), size_t{7});
              queue.slots->Check();
              ExpectRest(queue);
              queue.Settle();
            }
          }
        }
      }
      Equal(broken, 0);
    });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
