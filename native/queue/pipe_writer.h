// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "io/endpoint.h"
#include "queue/queue_message.h"
#include "queue/queue_state.h"
#include "recovery/stream_record.h"
#include "recovery/stream_repair.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

struct PipeResources {
  // Only checked. A weak reference: when no member reads any more, the pipe must show that.
  std::weak_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;
  // Only checked, unless its holder has died.
  std::shared_ptr<TrackedSemaphore> rlock;
  std::shared_ptr<TrackedSemaphore> wlock;
  // One slot was taken for each item that is put. Null if the queue has none.
  std::shared_ptr<TrackedSemaphore> slots;
  std::shared_ptr<QueueState> state;
  // Null if it is not kept.
  std::shared_ptr<StreamRecord> record;
  // Counts the items that were accepted and are not in the pipe.
  std::shared_ptr<TrackedSemaphore> accepted;
  bool is_joinable = false;
};

// Writes items to a queue's pipe. Other processes write to the same pipe, so every message is
// written while the queue's `wlock` is held, and noted in the stream record before. For a queue
// without one, the holder's record says whether a part of a message may have been moved: messages
// of up to PIPE_BUF bytes are moved whole or not at all. One thread at a time uses it, but for
// Stop() and in_message().
class PipeWriter {
 public:
  explicit PipeWriter(PipeResources resources) : resources_(std::move(resources)) {}
  PipeWriter(const PipeWriter&) = delete;
  PipeWriter& operator=(const PipeWriter&) = delete;

  const PipeResources& resources() const noexcept { return resources_; }

  // Writes a message of the caller's as far as there is room now. Returns how many bytes were
  // written; the lock is kept after only a part. -EAGAIN if another member has the lock or the pipe
  // has no room.
  ssize_t WriteNow(QueueMessageHead& head, const QueueItem& item);

  // Takes the lock if it is free. 0, -EAGAIN, or a failure.
  int TryTake() noexcept;
  // Waits until there may be room, and for the lock. 0 with the lock, -EAGAIN after a pause if a
  // member is in the middle of a call, or why nothing can be written any more.
  int Take();
  bool holds_lock() const noexcept { return holds_lock_; }
  // With the lock. Writes the first of these messages, as many as the kernel keeps in one piece, or
  // (a part of) one that is longer. Removes those that are written whole, and adds their number to
  // `done`. Returns how many bytes were written; -EAGAIN if there is no room.
  ssize_t WriteSome(std::deque<QueueMessage>& messages, size_t* done);
  // Waits for room for the rest of a message. 0, or why it cannot be written.
  int WaitForPipe() noexcept;
  // At the boundary of two messages, or, because of `status`, inside of one.
  void Release(int status) noexcept;

  // Why no further message is begun; 0 if there is no such reason.
  int StopReason() noexcept;
  void Stop() noexcept { stopped_ = true; }
  // Whether a message is half written.
  bool in_message() const noexcept { return in_message_; }

  // So many items that wait are given up. The first one may be `begun`: its slot belongs to the
  // pipe, unless no reader is left to return it.
  void GiveUp(size_t items, bool begun) noexcept;
  void ReleaseResources() noexcept { resources_ = PipeResources(); }

 private:
  int Acquire();
  int Prepare() noexcept;
  template <typename Next>
  void Begin(uint32_t items, Next next) noexcept;
  void TakeBack(uint32_t items) noexcept;
  ssize_t Send(const iovec* iov, int count) noexcept;
  int WaitForRoom() noexcept;

  PipeResources resources_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> in_message_{false};
  bool holds_lock_ = false;
  // With the lock: the record that all members keep, or null.
  StreamRecord* record_ = nullptr;
};

}  // namespace mp
