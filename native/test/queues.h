// SPDX-License-Identifier: MIT
//
// A queue with all its resources in this process.
#pragma once

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "check.h"
#include "pairs.h"
#include "queue/feeder.h"
#include "queue/feeders.h"
#include "queue/queue_reader.h"
#include "queue/queue_state.h"
#include "queue/queue_writer.h"
#include "receiving.h"
#include "semaphores.h"
#include "semaphores/completion_queue.h"

namespace mp::test {

struct TestQueue {
  static constexpr uint32_t kRlock = 1;
  static constexpr uint32_t kWlock = 2;
  static constexpr uint32_t kSlots = 3;

  explicit TestQueue(uint32_t slots = 1000)
      : pair(RawPipe(), IoMethod::kNoWait),
        table(MakeTable()),
        rlock(MakeTracked(1)),
        wlock(MakeTracked(1)),
        free(MakeTracked(slots)),
        unfinished(MakeTracked(0)),
        state(std::make_shared<QueueState>(table, kRlock, true, StatePipe{})),
        most(slots) {
    rlock->Track(table, kRlock, TrackedSemaphore::Role::kHolder);
    wlock->Track(table, kWlock, TrackedSemaphore::Role::kHolder);
    free->Track(table, kSlots, TrackedSemaphore::Role::kSlots);
    rlock->UseAsQueueLock();
    wlock->UseAsQueueLock();
    writer = MakeWriter();
    reader = MakeReader(pair.reader);
  }

  std::unique_ptr<QueueWriter> MakeWriter() const {
    auto feeder = std::make_shared<Feeder>(
        FeederResources{pair.reader, pair.writer, rlock, wlock, free, state});
    return std::make_unique<QueueWriter>(std::move(feeder), free, unfinished, state);
  }
  // Another descriptor of the reading end, as another process has one.
  std::shared_ptr<Endpoint> Copy() const {
    return MakeEndpoint(UniqueFd(sys::Duplicate(pair.reader->fd())), IoMethod::kNoWait);
  }
  std::unique_ptr<QueueReader> MakeReader(std::shared_ptr<Endpoint> end) const {
    return std::make_unique<QueueReader>(
        ReaderResources{std::move(end), rlock, wlock, free, most, state});
  }

  int64_t Put(const Blob& item, bool has_slot = false, const Blob& prefix = {}) const {
    return writer->Put({prefix.data(), prefix.size(), item.data(), item.size()}, has_slot);
  }

  // Gets an item, and waits for the pipe to be readable, and for the lock when another member has
  // it. -EAGAIN when nothing comes for `wait_ms`.
  int64_t Get(Blob* item, int wait_ms = 60000) const {
    item->resize(FrameReader::kSmallBytes);
    for (;;) {
      int64_t result = reader->Get(item->data(), false);
      if (result == kLargeMessage) {
        const auto length = static_cast<size_t>(reader->length());
        if (item->size() != length) item->resize(length);
        result = reader->GetLarge(item->data(), length, SIZE_MAX);
        if (result >= 0 && result < reader->length()) result = -EAGAIN;
      }
      if (result >= 0) {
        item->resize(static_cast<size_t>(result));
        return result;
      }
      if (result == -EBUSY) {
        const int taken = rlock->semaphore().Wait(std::chrono::milliseconds(wait_ms));
        if (taken < 0) return taken;
        rlock->MarkHeld();
        reader->AdoptLock();
        continue;
      }
      if (result != -EAGAIN) return result;
      pollfd readable{pair.reader->fd(), POLLIN, 0};
      if (::poll(&readable, 1, wait_ms) == 0) return -EAGAIN;
    }
  }

  // Closes the writer and waits until its thread has ended, so that nothing waits to be written.
  void Settle() const {
    writer->Close();
    for (int i = 0; i < 60000 && writer->feeder().use_count() > 1; i++) ::usleep(1000);
    Equal(writer->feeder().use_count(), 1);
  }

  EndpointPair pair;
  std::shared_ptr<HolderTable> table;
  std::shared_ptr<TrackedSemaphore> rlock;
  std::shared_ptr<TrackedSemaphore> wlock;
  std::shared_ptr<TrackedSemaphore> free;
  std::shared_ptr<TrackedSemaphore> unfinished;
  std::shared_ptr<QueueState> state;
  int64_t most;
  std::unique_ptr<QueueWriter> writer;
  std::unique_ptr<QueueReader> reader;
};

}  // namespace mp::test
