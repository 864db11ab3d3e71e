// SPDX-License-Identifier: MIT
//
// Moves the items that one environment puts on a queue into the queue's pipe. The thread that puts
// an item writes it at once, as far as there is room. The rest waits here, in memory of its own,
// and is written by the feeder's thread, whether JavaScript is busy or not. That thread is started
// when there is something to write and ends when there has been nothing for a while. It needs no
// environment: what a worker has put is still written when the worker has ended.
//
// Other processes write to the same pipe, so every message is written while the queue's `wlock` is
// held, and noted in the stream record before. For a queue without one, the holder's record says
// whether a part of a message may have been moved: messages of up to PIPE_BUF bytes are moved whole
// or not at all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/endpoint.h"
#include "os/condition.h"
#include "queue/feeders.h"
#include "queue/queue_message.h"
#include "queue/queue_state.h"
#include "queue/stream_record.h"
#include "queue/stream_repair.h"
#include "semaphores/completion_queue.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

struct FeederResources {
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

class Feeder final : public RunningFeeder, public std::enable_shared_from_this<Feeder> {
 public:
  explicit Feeder(FeederResources resources)
      : name_(resources.rlock->semaphore().name()), resources_(std::move(resources)) {}
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // Only the environment's own thread puts. Returns 0 when the message was written, else how many
  // bytes wait now. If this message or an earlier one cannot be written, returns the reason: then
  // nothing of this one is kept or written. Memory and the thread are there before the first byte
  // of a message is written that the thread may have to complete.
  int64_t Put(const QueueItem& item);

  // Nothing is put any more. The resources are released when what waits has been written.
  void Close();

  // What waits need not be written before the process ends.
  void Cancel();

  // Pushes (request, 0) once at most `max_bytes` wait, or (request, failure).
  void NotifyWhen(uint64_t max_bytes, std::shared_ptr<CompletionQueue> queue, int32_t request);
  void Forget(const std::shared_ptr<CompletionQueue>& queue, int32_t request);

  // Nothing after Cancel().
  Load load() const noexcept override;
  const std::string& name() const noexcept override { return name_; }
  void CutReader() noexcept override;
  bool Stop() noexcept override;

 private:
  struct Notice {
    uint64_t max_bytes;
    std::shared_ptr<CompletionQueue> queue;
    int32_t request;
  };

  ssize_t WriteNowLocked(QueueMessageHead& head, const QueueItem& item);
  int StartLocked();

  static void* ThreadMain(void* self);
  void Run();
  bool AwaitIncoming();
  int Acquire();
  int Prepare() noexcept;
  void Begin(size_t size) noexcept;
  void TakeBack(uint32_t items) noexcept;
  ssize_t Send(const iovec* iov, int count) noexcept;
  int Write();
  int WriteHeld();
  ssize_t WriteSome();
  int WaitForRoom() noexcept;
  int WaitForPipe() noexcept;
  int StopReason() noexcept;
  void CountWritten(size_t messages, size_t bytes);
  void Fail(int status);
  void NotifyLocked(int status);
  void ReleaseResources() noexcept;

  const std::string name_;
  FeederResources resources_;

  mutable std::mutex mutex_;  // For the members up to `more_`.
  std::deque<QueueMessage> incoming_;
  std::vector<Notice> notices_;
  int failure_ = 0;
  bool running_ = false;
  bool closed_ = false;
  Condition more_;

  std::atomic<uint64_t> waiting_messages_{0};
  std::atomic<uint64_t> waiting_bytes_{0};
  std::atomic<bool> canceled_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> in_message_{false};  // A message is half written.

  // Used with the lock only: the record that all members keep, or null.
  StreamRecord* record_ = nullptr;

  // Used by the thread only.
  std::deque<QueueMessage> messages_;
  bool holds_lock_ = false;  // Set by Put() together with a message that it has begun.
};

}  // namespace mp
