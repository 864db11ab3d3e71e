// SPDX-License-Identifier: MIT
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "kills.h"
#include "recovery/queue_recovery.h"
#include "util/status.h"

namespace mp::test {
namespace {

int Value(const std::shared_ptr<TrackedSemaphore>& semaphore) {
  return semaphore->semaphore().Value();
}

const Test kSmall("queue: small items are written at once, in order, and are counted", [] {
  TestQueue queue(10);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4092}}) Equal(queue.Put(Pattern(size)), 0);
  Equal(Value(queue.free), 7);
  Equal(Value(queue.unfinished), 3);
  Blob item;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4092}}) {
    Equal(queue.Get(&item), size);
    Check(item == Pattern(size));
  }
  Equal(queue.Get(&item, 0), -EAGAIN);
  Equal(Value(queue.free), 10);
  for (const auto& lock : {queue.rlock, queue.wlock}) Equal(Value(lock), 1);
  queue.Settle();
});

const Test kPrefix("queue: an item in two pieces is one message, written at once, in part or later",
                   [] {
                     for (const size_t size : {size_t{0}, size_t{100}, size_t{300000}}) {
                       TestQueue queue;
                       const Blob prefix = Pattern(QueueItem::kMaxPrefixBytes);
                       const Blob payload = Pattern(size);
                       Blob whole = prefix;
                       whole.insert(whole.end(), payload.begin(), payload.end());
                       for (int i = 0; i < 3; i++)
                         Equal(queue.Put(payload, false, prefix) > 0, size == 300000);
                       Blob item;
                       for (int i = 0; i < 3; i++) {
                         Equal(queue.Get(&item), whole.size());
                         Check(item == whole);
                       }
                       queue.Settle();
                     }
                   });

const Test kLarge("queue: a thread writes what the pipe has no room for, once there is room", [] {
  TestQueue queue;
  const Blob large = Pattern(3000000);
  Check(queue.Put(large) > 0, "bytes wait");
  Check(queue.Put(Pattern(10)) > 0, "it waits behind the first one");
  Equal(Feeders::Waiting().items, 2u);
  Blob item;
  Equal(queue.Get(&item), large.size());
  Check(item == large);
  Equal(queue.Get(&item), 10);
  Check(item == Pattern(10));
  queue.Settle();
  Equal(Feeders::Waiting().items, 0u);
});

const Test kSlots("queue: without a slot nothing is put, and a slot that was taken before is used",
                  [] {
                    TestQueue queue(1);
                    Equal(queue.Put(Pattern(1)), 0);
                    Equal(queue.Put(Pattern(2)), -EAGAIN);
                    Equal(Value(queue.unfinished), 1);
                    Blob item;
                    Equal(queue.Get(&item), 1);
                    Equal(queue.free->TryAcquire(), 0);
                    Equal(queue.Put(item, true), 0);
                    Equal(Value(queue.free), 0);
                    Equal(queue.Get(&item), 1);
                    Equal(Value(queue.free), 1);
                    queue.Settle();
                  });

const Test kNotice("queue: a completion comes when the items that were put have been written", [] {
  TestQueue queue;
  const auto told = std::make_shared<CompletionQueue>();
  Equal(told->Open(), 0);
  Check(queue.Put(Pattern(1000000)) > 0);
  queue.writer->feeder()->NotifyWhen(0, told, 5);
  Check(told->Dequeue(1).empty());
  Blob item;
  Equal(queue.Get(&item), 1000000);
  pollfd readable{told->fd(), POLLIN, 0};
  Equal(::poll(&readable, 1, 60000), 1);
  const auto taken = told->Dequeue(1);
  Equal(taken.size(), 1u);
  Equal(taken.front().request, 5);
  Equal(taken.front().status, 0);
  queue.Settle();
});

const Test kNoReader(
    "queue: when no reader is left, waiting items are dropped and their slots returned", [] {
      TestQueue queue(3);
      const auto told = std::make_shared<CompletionQueue>();
      Equal(told->Open(), 0);
      Check(queue.Put(Pattern(1000000)) > 0);
      Check(queue.Put(Pattern(1)) > 0);
      queue.writer->feeder()->NotifyWhen(0, told, 1);
      queue.reader.reset();
      queue.pair.reader.reset();
      pollfd readable{told->fd(), POLLIN, 0};
      Equal(::poll(&readable, 1, 60000), 1);
      Equal(told->Dequeue(1).front().status, -EPIPE);
      Equal(queue.Put(Pattern(1)), -EPIPE);
      Equal(Value(queue.free), 3);
      queue.Settle();
    });

const Test kBusy("queue: the thread waits for a lock that another member holds, and no caller does",
                 [] {
                   TestQueue queue;
                   Equal(queue.wlock->TryAcquire(), 0);
                   Check(queue.Put(Pattern(5)) > 0, "it waits for the lock");
                   Equal(queue.wlock->Release(TrackedSemaphore::kNoLimit), 0);
                   Blob item;
                   Equal(queue.Get(&item), 5);
                   Check(queue.Put(Pattern(6)) >= 0, "the thread may still hold its lock");
                   pollfd readable{queue.pair.reader->fd(), POLLIN, 0};
                   Equal(::poll(&readable, 1, 60000), 1);
                   Equal(queue.rlock->TryAcquire(), 0);
                   item.resize(FrameReader::kSmallBytes);
                   Equal(queue.reader->Get(item.data(), true), -EBUSY);
                   Equal(queue.rlock->Release(TrackedSemaphore::kNoLimit), 0);
                   Equal(queue.Get(&item), 6);
                   queue.Settle();
                 });

const Test kEnded("queue: after a shutdown nothing can be put, and items that are left can be got",
                  [] {
                    TestQueue queue(2);
                    Equal(queue.Put(Pattern(3)), 0);
                    queue.state->Add(QueueState::kIsShutDown);
                    Equal(queue.Put(Pattern(4)), kShutDown);
                    Equal(Value(queue.free), 1);
                    Blob item;
                    Equal(queue.Get(&item), 3);
                    Equal(queue.Get(&item), kShutDown);
                    Equal(Value(queue.free), 2);
                    queue.Settle();
                  });

const Test kNonsense("queue: an invalid length breaks the queue, and the lock stays taken", [] {
  TestQueue queue(1000, false);
  const uint8_t bad[] = {0x80, 0, 0, 1};
  const iovec iov{const_cast<uint8_t*>(bad), sizeof(bad)};
  Equal(queue.pair.writer->sink().Write(&iov, 1), 4);
  Blob item;
  Equal(queue.Get(&item), kBadLength);
  Equal(Value(queue.rlock), 0);
  Equal(queue.Get(&item), kQueueBroken);
  Equal(queue.Put(Pattern(1)), kQueueBroken);
  queue.Settle();
});

const Test kHalfRead("queue: a thread finishes an item whose reader was closed inside it", [] {
  TestQueue queue(1000, false);
  Check(queue.Put(Pattern(200000)) > 0);
  Blob item(FrameReader::kSmallBytes);
  Equal(queue.reader->Get(item.data(), false), kLargeMessage);
  item.resize(200000);
  const int64_t some = queue.reader->GetLarge(item.data(), item.size(), 1000);
  Check(some > 0 && some < 200000, "a part was read");
  Check(queue.reader->in_message());
  queue.reader = queue.MakeReader(queue.Copy());
  Equal(queue.Put(Pattern(7)) >= 0, true);
  Equal(queue.Get(&item), 7);
  queue.Settle();
});

// A child that holds a lock and may have moved a part of an item.
pid_t StartMoving(const std::shared_ptr<TrackedSemaphore>& lock) {
  return StartChild([&] {
    // With a record of its own, which stays.
    auto& own = *new TrackedSemaphore(lock->shared());
    own.Track(lock->table(), lock->number(), TrackedSemaphore::Role::kHolder);
    own.UseAsQueueLock();
    (void)own.TryAcquire();
    own.MarkMoving();
  });
}

// How many threads of this process have this name.
int ThreadsNamed(const std::string& name) {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string found;
    std::ifstream(task.path() / "comm") >> found;
    count += found == name ? 1 : 0;
  }
  return count;
}

// Regression: the thread left the rest of the item to a new thread, and so on for ever.
const Test kRestNeverComes(
    "queue: a thread that waits for the rest of an item ends when the item's writer is dead", [] {
      TestQueue queue(10, false);
      DiesAtStep(INT_MAX, [&](auto) { (void)Join(queue)->Put(Pattern(300000)); });
      Blob item(FrameReader::kSmallBytes);
      Equal(queue.reader->Get(item.data(), false), static_cast<int64_t>(kLargeMessage));
      item.resize(static_cast<size_t>(queue.reader->length()));
      Check(queue.reader->GetLarge(item.data(), item.size(), SIZE_MAX) < 300000);
      Check(queue.reader->in_message());
      queue.reader.reset();
      for (int i = 0; i < 60000 && ThreadsNamed("mp-reader") > 0; i++) ::usleep(1000);
      Equal(ThreadsNamed("mp-reader"), 0);
      Equal(Value(queue.rlock), 0);
      Equal(queue.state->Flags(), static_cast<uint32_t>(QueueState::kBroken));
      queue.Settle();
    });

const Test kRecovered("queue recovery: an empty pipe whose other lock is free is between two items",
                      [] {
                        TestQueue queue(1000, false);
                        for (const bool writing : {false, true}) {
                          const auto& dead = writing ? queue.wlock : queue.rlock;
                          const auto& other = writing ? queue.rlock : queue.wlock;
                          KillAndReap(StartMoving(dead));
                          Equal(Value(dead), 0);
                          Equal(other->TryAcquire(), 0);
                          Equal(RecoverLock(*dead, *other, queue.pair.reader->fd()), -EAGAIN);
                          Equal(other->Release(TrackedSemaphore::kNoLimit), 0);
                          Equal(RecoverLock(*dead, *other, queue.pair.reader->fd()), 0);
                          Equal(Value(dead), 1);
                          Equal(RecoverLock(*dead, *other, queue.pair.reader->fd()), 0);
                        }
                        Blob item;
                        Equal(queue.Put(Pattern(9)), 0);
                        Equal(queue.Get(&item), 9);
                        queue.Settle();
                      });

const Test kUnproved("queue recovery: a pipe that is not empty may begin inside an item", [] {
  TestQueue queue(1000, false);
  Equal(queue.Put(Pattern(100)), 0);
  KillAndReap(StartMoving(queue.rlock));
  Equal(RecoverLock(*queue.rlock, *queue.wlock, queue.pair.reader->fd()), kQueueBroken);
  Equal(Value(queue.rlock), 0);
  Equal(queue.reader->Check(), kQueueBroken);
  Blob item;
  Equal(queue.Get(&item), kQueueBroken);
  queue.Settle();
});

const Test kMany("queue: four writers and four readers exchange every item once", [] {
  constexpr int kSides = 4;
  constexpr int kEach = 500;
  TestQueue queue(20);
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  std::atomic<int64_t> sum{0};
  for (int side = 0; side < kSides; side++) {
    threads.emplace_back([writer = queue.MakeWriter()] {
      for (int i = 1; i <= kEach; i++) {
        const Blob item = Pattern(static_cast<size_t>(i));
        while (writer->Put({nullptr, 0, item.data(), item.size()}, false) == -EAGAIN)
          std::this_thread::yield();
      }
      writer->Close();
      for (int i = 0; i < 60000 && writer->feeder().use_count() > 1; i++) ::usleep(1000);
    });
    threads.emplace_back([&, reader = queue.MakeReader(queue.Copy())] {
      Blob item(FrameReader::kSmallBytes);
      while (got.load() < kSides * kEach) {
        const int64_t length = reader->Get(item.data(), false);
        if (length < 0) {
          std::this_thread::yield();
          continue;
        }
        sum += length;
        got++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Equal(got.load(), kSides * kEach);
  Equal(sum.load(), int64_t{kSides} * kEach * (kEach + 1) / 2);
  Equal(Value(queue.free), 20);
  queue.Settle();
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
