// SPDX-License-Identifier: MIT
//
// A member of a queue dies between any two steps, and the others go on.
#include <vector>

#include "streams.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr size_t kSizes[] = {10, 3000, 5000, 30000, 200000};

// Items differ in their lengths, too.
struct Items {
  explicit Items(size_t size) : first(Pattern(7)), second(Pattern(size)), third(Pattern(90)) {}
  Blob first;
  Blob second;
  Blob third;
};

const Test kWriterDies("stream: a writer that dies at any step loses its item and no other", [] {
  for (const size_t size : kSizes) {
    const Items items(size);
    const int steps = AtEveryStep([&](int step) {
      const TestQueue queue(10);
      Equal(queue.Put(items.first), 0);
      const bool died = DiesAtStep(step, [&](auto arm) {
        const auto member = Join(queue);
        arm();
        (void)member->Put(items.second);
        SettleOrEnd(*member);
      });
      const int accepted = Value(queue.unfinished) - 1;
      Check(queue.Put(items.third) >= 0);
      const std::vector<size_t> got = GetAll(queue);
      const bool whole = got.size() == 3;
      Check(whole || got.size() == 2, Shown(got.size()));
      Equal(got.front(), items.first.size());
      Equal(got.back(), items.third.size());
      queue.slots->Check();
      // A producer that dies before its put has counted the item has lost nothing.
      Equal(queue.record->layout().lost.load(), static_cast<uint64_t>(whole ? 0 : accepted));
      ExpectRest(queue);
      queue.Settle();
      return died;
    });
    Check(steps > 8, Shown(steps));
  }
});

const Test kReaderDies("stream: a reader that dies at any step loses its item and no other", [] {
  for (const size_t size : kSizes) {
    const Items items(size);
    const int steps = AtEveryStep([&](int step) {
      const TestQueue queue(10);
      Check(queue.Put(items.second) >= 0);
      Check(queue.Put(items.third) >= 0);
      const bool died = DiesAtStep(step, [&](auto arm) {
        const auto member = Join(queue);
        arm();
        Blob item;
        (void)member->Get(&item);
      });
      const std::vector<size_t> got = GetAll(queue);
      Check(!got.empty() && got.back() == items.third.size(), Shown(got));
      queue.slots->Check();
      const uint64_t lost = queue.record->layout().lost.load();
      Check(got.size() + lost == 2, Shown(got) + "and lost " + Shown(lost));
      ExpectRest(queue);
      queue.Settle();
      return died;
    });
    Check(steps > 8, Shown(steps));
  }
});

const Test kRepairerDies("stream: so does one that dies while it sets right what another has left",
                         [] {
                           for (const size_t size : {size_t{30000}, size_t{200000}}) {
                             const Items items(size);
                             for (int first = 4; first < 30; first += 3) {
                               AtEveryStep([&](int step) {
                                 const TestQueue queue(10);
                                 DiesAtStep(first, [&](auto arm) {
                                   const auto member = Join(queue);
                                   arm();
                                   (void)member->Put(items.second);
                                   SettleOrEnd(*member);
                                 });
                                 const bool died = DiesAtStep(step, [&](auto arm) {
                                   const auto member = Join(queue);
                                   arm();
                                   (void)member->wlock->CheckHolder();
                                   (void)member->Put(items.first);
                                   Blob item;
                                   (void)member->Get(&item, 0);
                                 });
                                 Check(queue.Put(items.third) >= 0);
                                 const std::vector<size_t> got = GetAll(queue);
                                 Check(!got.empty() && got.back() == items.third.size(),
                                       Shown(got));
                                 (void)queue.rlock->CheckHolder();
                                 (void)queue.wlock->CheckHolder();
                                 queue.slots->Check();
                                 Equal(Value(queue.free), 10);
                                 Equal(Value(queue.unfinished), 0);
                                 Equal(queue.state->Flags(), 0u);
                                 queue.Settle();
                                 return died;
                               });
                             }
                           }
                         });

const Test kBothDie("stream: both sides die in the middle of their calls, and no boundary is lost",
                    [] {
                      int undecided = 0;
                      for (const size_t size : {size_t{10}, size_t{3000}, size_t{90}}) {
                        const Items items(size);
                        for (int writer = 0; writer < 24; writer++) {
                          for (int reader = 0; reader < 24; reader++) {
                            const TestQueue queue(10);
                            Equal(queue.Put(items.second), 0);
                            DiesAtStep(writer, [&](auto arm) {
                              const auto member = Join(queue);
                              arm();
                              (void)member->Put(items.third);
                            });
                            DiesAtStep(reader, [&](auto arm) {
                              const auto member = Join(queue);
                              arm();
                              Blob item;
                              (void)member->Get(&item, 0);
                            });
                            Blob item;
                            int64_t status = queue.Put(items.first);
                            if (status >= 0) status = queue.Get(&item, 0);
                            if (status == kQueueBroken) {
                              undecided++;
                              continue;
                            }
                            (void)queue.rlock->CheckHolder();
                            (void)queue.wlock->CheckHolder();
                            if (status >= 0) {
                              Check(item == Pattern(item.size()));
                              Equal(queue.in_hand->TakeForSlot(), 0);
                            }
                            (void)GetAll(queue);
                            queue.slots->Check();
                            Equal(Value(queue.unfinished), 0);
                            Equal(Value(queue.rlock), 1);
                            Equal(Value(queue.wlock), 1);
                            queue.Settle();
                          }
                        }
                      }
                      Equal(undecided, 0);
                    });

// Regression: the check has both locks, of which the repair of two dead members wanted one for
// itself. So a put that waited for the only slot waited for ever, and so did a join.
const Test kBothDieAndOthersWait(
    "stream: both sides die, and the members that wait for a slot or the end of all items go on",
    [] {
      for (const size_t size : {size_t{3000}, size_t{200000}}) {
        for (int writer = 0; writer < 24; writer++) {
          for (int reader = 0; reader < 24; reader++) {
            const TestQueue queue(1);
            DiesAtStep(writer, [&](auto arm) {
              const auto member = Join(queue);
              arm();
              (void)member->Put(Pattern(size));
            });
            DiesAtStep(reader, [&](auto arm) {
              const auto member = Join(queue);
              arm();
              Blob item;
              (void)member->Get(&item, 0);
            });
            // As those do, which look at no item and write none.
            queue.slots->Check();
            queue.slots->Check();
            const std::string where = Shown(size) + "at " + Shown(writer) + "and " + Shown(reader);
            const int left = static_cast<int>(queue.record->depth());
            Check(left == 0 || sys::IsReady(queue.pair.reader->fd(), POLLIN), where);
            Check(Value(queue.free) == 1 - left, where);
            Check(Value(queue.unfinished) == left, where);
            (void)GetAll(queue);
            ExpectRest(queue);
            queue.Settle();
          }
        }
      }
    });

// The waiter takes slots for puts that wait. They are not items yet.
const Test kSlotWithoutItem("stream: a slot that a dead member had no item for is no lost item",
                            [] {
                              const TestQueue queue(10);
                              Equal(queue.Put(Pattern(20)), 0);
                              const bool died = DiesAtStep(0, [&](auto arm) {
                                const auto member = Join(queue);
                                Equal(member->free->TryAcquire(), 0);
                                arm();
                                Step();
                              });
                              Check(died);
                              Equal(Value(queue.free), 8);
                              queue.slots->Check();
                              Equal(Value(queue.free), 9);
                              Equal(Value(queue.unfinished), 1);
                              Equal(queue.record->layout().lost.load(), uint64_t{0});
                              Equal(GetAll(queue).size(), size_t{1});
                              ExpectRest(queue);
                              queue.Settle();
                            });

const Test kFinisherDies("stream: a consumer that dies while it finishes an item finishes that one",
                         [] {
                           const int steps = AtEveryStep([&](int step) {
                             const TestQueue queue(10);
                             for (int i = 0; i < 3; i++) Equal(queue.Put(Pattern(20)), 0);
                             const bool died = DiesAtStep(step, [&](auto arm) {
                               const auto member = Join(queue);
                               Blob item;
                               (void)member->Get(&item);
                               arm();
                               (void)member->in_hand->TakeForSlot();
                             });
                             queue.slots->Check();
                             Equal(Value(queue.unfinished), 2);
                             Equal(GetAll(queue).size(), size_t{2});
                             ExpectRest(queue);
                             queue.Settle();
                             return died;
                           });
                           Equal(steps, 2);
                         });

const Test kFinisherOfOthersDies(
    "stream: one that dies while it finishes an item of another one takes none along", [] {
      const int steps = AtEveryStep([&](int step) {
        const TestQueue queue(10);
        StreamLayout& numbers = queue.record->layout();
        Blob item;
        for (int i = 0; i < 3; i++) {
          Equal(queue.Put(Pattern(20)), 0);
          if (i < 2) Equal(queue.Get(&item), 20);
        }
        const bool died = DiesAtStep(step, [&](auto arm) {
          const auto member = Join(queue);
          numbers.finished_elsewhere.store(1);
          arm();
          (void)member->in_hand->TakeForSlot(&numbers.in_other_hands);
        });
        queue.slots->Check();
        const int left = Value(queue.unfinished) - 1;
        Check(left == 1 || left == 2, Shown(left));
        Equal(numbers.lost.load(), uint64_t{0});
        // What a member takes along that dies from now on, another one may finish.
        DiesAtStep(0, [&](auto arm) {
          const auto member = Join(queue);
          (void)member->Get(&item);
          arm();
          Step();
        });
        queue.slots->Check();
        Equal(numbers.lost.load(), uint64_t{0});
        for (int i = 0; i < left + 1; i++)
          Equal(queue.in_hand->TakeForSlot(&numbers.in_other_hands), 0);
        queue.slots->Check();
        ExpectRest(queue);
        queue.Settle();
        return died;
      });
      Equal(steps, 3);
    });

const Test kCheckerDies(
    "stream: one that dies while it counts what the dead have left counts none twice", [] {
      const int steps = AtEveryStep([&](int step) {
        const TestQueue queue(10);
        Equal(queue.Put(Pattern(20)), 0);
        // Three items accepted and not written, and two slots without an item.
        DiesAtStep(0, [&](auto arm) {
          const auto member = Join(queue);
          for (int i = 0; i < 5; i++) Equal(member->free->TryAcquire(), 0);
          for (int i = 0; i < 3; i++) Equal(member->accepted->PostForSlot(), 0);
          arm();
          Step();
        });
        Equal(Value(queue.unfinished), 4);
        const bool died = DiesAtStep(step, [&](auto arm) {
          const auto member = Join(queue);
          arm();
          member->slots->Check();
        });
        queue.slots->Check();
        Equal(Value(queue.unfinished), 1);
        const uint64_t lost = queue.record->layout().lost.load();
        Check(lost == 3 || (died && lost == 2), Shown(lost));
        Equal(GetAll(queue).size(), size_t{1});
        ExpectRest(queue);
        queue.Settle();
        return died;
      });
      Check(steps > 10, Shown(steps));
    });

const Test kFull("stream: a ring without a free entry makes the writer wait, and loses nothing",
                 [] {
                   constexpr size_t kMany = 3 * StreamLayout::kEntries;
                   const TestQueue queue(static_cast<uint32_t>(kMany));
                   for (size_t i = 0; i < kMany; i++) Check(queue.Put({}) >= 0);
                   Check(queue.record->depth() <= StreamLayout::kMaxItems);
                   Blob item;
                   for (size_t i = 0; i < kMany; i++) Equal(queue.Get(&item), 0);
                   ExpectRest(queue, static_cast<int>(kMany));
                   queue.Settle();
                 });

const Test kForeign("stream: bytes that no member has noted break the queue", [] {
  const TestQueue queue;
  uint8_t bytes[] = {0, 0, 0, 1, 65};
  const iovec iov{bytes, sizeof bytes};
  Equal(queue.pair.writer->sink().Write(&iov, 1), 5);
  Blob item;
  Equal(queue.Get(&item), static_cast<int64_t>(kQueueBroken));
  queue.Settle();
});

const Test kGivenUp("stream: when a member does not keep the record, items still go through", [] {
  const TestQueue queue(10);
  Equal(queue.Put(Pattern(20)), 0);
  queue.record->GiveUp();
  uint8_t bytes[] = {0, 0, 0, 1, 0};
  const iovec iov{bytes, sizeof bytes};
  Equal(queue.pair.writer->sink().Write(&iov, 1), 5);
  Equal(queue.Put(Pattern(30)), 0);
  Blob item;
  for (const int64_t size : {20, 1, 30}) Equal(queue.Get(&item), size);
  queue.Settle();
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
