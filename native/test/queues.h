// SPDX-License-Identifier: MIT
//
// A queue with all its resources in this process.
#pragma once

#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "check.h"
#include "pairs.h"
#include "queue/feeder.h"
#include "queue/feeders.h"
#include "queue/queue_reader.h"
#include "queue/queue_state.h"
#include "queue/queue_writer.h"
#include "receiving.h"
#include "recovery/queue_accounts.h"
#include "semaphores.h"
#include "semaphores/completion_queue.h"

namespace mp::test {

struct TestQueue {
  static constexpr uint32_t kRlock = 1;
  static constexpr uint32_t kWlock = 2;
  static constexpr uint32_t kSlots = 3;
  static constexpr uint32_t kUnfinished = 4;

  // With `kept`, its members keep a stream record; with `plain`, it is no JoinableQueue.
  explicit TestQueue(uint32_t slots = 1000, bool kept = true, bool plain = false)
      : pair(RawPipe(), IoMethod::kNoWait),
        table(MakeTable()),
        rlock(MakeTracked(1)),
        wlock(MakeTracked(1)),
        free(MakeTracked(slots)),
        unfinished(MakeTracked(0)),
        accepted(std::make_shared<TrackedSemaphore>(unfinished->shared())),
        in_hand(std::make_shared<TrackedSemaphore>(unfinished->shared())),
        state(std::make_shared<QueueState>(table, kRlock, true, StatePipe{})),
        record(kept ? MakeRecord() : nullptr),
        most(slots),
        joinable(!plain) {
    Begin();
  }
  // The same queue as another member has it, with records of its own.
  TestQueue(const TestQueue& other)
      : pair(other.pair),
        table(other.table),
        rlock(std::make_shared<TrackedSemaphore>(other.rlock->shared())),
        wlock(std::make_shared<TrackedSemaphore>(other.wlock->shared())),
        free(std::make_shared<TrackedSemaphore>(other.free->shared())),
        unfinished(std::make_shared<TrackedSemaphore>(other.unfinished->shared())),
        accepted(std::make_shared<TrackedSemaphore>(unfinished->shared())),
        in_hand(std::make_shared<TrackedSemaphore>(unfinished->shared())),
        state(std::make_shared<QueueState>(table, kRlock, false, StatePipe{})),
        record(other.record),
        most(other.most),
        joinable(other.joinable) {
    pair.reader = Copy();
    Begin();
  }
  TestQueue& operator=(const TestQueue&) = delete;

  void Begin() {
    Equal(rlock->Track(table, kRlock, TrackedSemaphore::Role::kHolder), 0);
    Equal(wlock->Track(table, kWlock, TrackedSemaphore::Role::kHolder), 0);
    Equal(free->Track(table, kSlots, TrackedSemaphore::Role::kSlots), 0);
    Equal(in_hand->Track(table, kUnfinished, TrackedSemaphore::Role::kSlots), 0);
    Equal(accepted->Track(table, StreamResources::AcceptedNumber(kWlock),
                          TrackedSemaphore::Role::kSlots),
          0);
    rlock->UseAsQueueLock();
    wlock->UseAsQueueLock();
    writer = MakeWriter();
    reader = MakeReader(pair.reader);
    if (record) {
      const StreamResources stream{record,   rlock, wlock, joinable ? unfinished : nullptr,
                                   joinable, kSlots};
      slots = std::make_unique<QueueAccounts>(stream, free.get(), most, pair.writer);
      if (joinable) slots->set_unfinished_number(kUnfinished);
    }
  }

  std::unique_ptr<QueueWriter> MakeWriter() const {
    auto feeder = std::make_shared<Feeder>(PipeResources{pair.reader, pair.writer, rlock, wlock,
                                                         free, state, record, accepted, joinable});
    return std::make_unique<QueueWriter>(std::move(feeder), free, accepted, joinable, state);
  }
  // Another descriptor of the reading end, as another process has one.
  std::shared_ptr<Endpoint> Copy() const {
    return MakeEndpoint(UniqueFd(sys::Duplicate(pair.reader->fd())), IoMethod::kNoWait);
  }
  std::unique_ptr<QueueReader> MakeReader(std::shared_ptr<Endpoint> end) const {
    return std::make_unique<QueueReader>(
        ReaderResources{std::move(end), rlock, wlock, free, most, state, record,
                        joinable ? unfinished : nullptr, joinable ? in_hand : nullptr});
  }

  // In memory that forked processes share.
  static std::shared_ptr<StreamRecord> MakeRecord() {
    void* memory = ::mmap(nullptr, sizeof(StreamLayout), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Check(memory != MAP_FAILED);
    const auto unmap = [](void* mapped) { ::munmap(mapped, sizeof(StreamLayout)); };
    return StreamRecord::Over(std::shared_ptr<void>(memory, unmap), true);
  }

  int64_t Put(const Blob& item, bool has_slot = false, const Blob& prefix = {}) const {
    return writer->Put({prefix.data(), prefix.size(), item.data(), item.size()}, has_slot);
  }

  int64_t Gather(const Blob& item, bool gather) const {
    return writer->Put({nullptr, 0, item.data(), item.size()}, false, gather);
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
      if (result == kItemLost) continue;
      if (result >= 0) {
        item->resize(static_cast<size_t>(result));
        return result;
      }
      if (result == -EBUSY) {
        const int taken = rlock->Wait(std::chrono::milliseconds(std::min(wait_ms, 20)));
        if (taken == 0) reader->AdoptLock();
        if (taken == -ETIMEDOUT) (void)rlock->CheckHolder();
        if (taken < 0 && taken != -EAGAIN && taken != -ETIMEDOUT) return taken;
        continue;
      }
      if (result != -EAGAIN) return result;
      pollfd readable{pair.reader->fd(), POLLIN, 0};
      const bool inside = reader->in_message();
      if (::poll(&readable, 1, inside ? 20 : wait_ms) > 0) continue;
      if (!inside) return -EAGAIN;
      (void)reader->Check();
    }
  }

  // As Get(), for at most `most` small items. -EAGAIN when there are none now.
  int64_t GetMany(std::vector<Blob>* items, uint64_t most,
                  size_t room = FrameReader::kAheadBytes) const {
    Blob memory(room);
    const int64_t bytes = reader->GetMany(memory.data(), room, most, false);
    items->clear();
    for (const uint8_t* at = memory.data(); bytes > 0 && at < memory.data() + bytes;) {
      size_t header = 0;
      int64_t length = 0;
      Check(frame::DecodeHeader(at, 4, &header, &length) == frame::HeaderState::kComplete);
      items->emplace_back(at + header, at + header + length);
      at += header + static_cast<size_t>(length);
    }
    return bytes;
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
  std::shared_ptr<TrackedSemaphore> accepted;
  std::shared_ptr<TrackedSemaphore> in_hand;
  std::shared_ptr<QueueState> state;
  std::shared_ptr<StreamRecord> record;
  int64_t most;
  bool joinable;
  std::unique_ptr<QueueWriter> writer;
  std::unique_ptr<QueueReader> reader;
  std::unique_ptr<QueueAccounts> slots;
};

}  // namespace mp::test
