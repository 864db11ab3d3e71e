// SPDX-License-Identifier: MIT
//
// Members that move several items in one call.
#include <cerrno>
#include <vector>

#include "streams.h"
#include "util/status.h"

namespace mp::test {
namespace {

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

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
