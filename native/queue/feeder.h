// SPDX-License-Identifier: MIT
//
// Moves the items that one environment puts on a queue into the queue's pipe. What there is room
// for is written at once by the thread that puts it; the rest waits here, in memory of its own, and
// is written by a thread, whatever JavaScript does meanwhile. The thread is started when there is
// something to write and ends when there has been nothing for a while. It needs no environment:
// what a worker has put is still written when the worker has ended.
//
// Other processes write to the same pipe, so every message is written while the queue's `wlock` is
// held. Messages of up to PIPE_BUF bytes are moved whole or not at all, which the holder's record
// takes account of.
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
#include "os/wake.h"
#include "queue/feeders.h"
#include "queue/queue_message.h"
#include "queue/queue_state.h"
#include "semaphores/completion_queue.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

class Feeder final : public RunningFeeder, public std::enable_shared_from_this<Feeder> {
 public:
  struct Parts {
    // To look at only: when nobody gets here any more, this must not keep the pipe from showing it.
    std::weak_ptr<Endpoint> reader;
    std::shared_ptr<Endpoint> writer;
    std::shared_ptr<TrackedSemaphore> rlock;  // Likewise, unless its holder has died.
    std::shared_ptr<TrackedSemaphore> wlock;
    // Of which one was taken for each item that is put; null if there are none.
    std::shared_ptr<TrackedSemaphore> places;
    std::shared_ptr<QueueState> state;
  };

  explicit Feeder(Parts parts) : name_(parts.rlock->semaphore().name()), parts_(std::move(parts)) {}
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // Only the environment's own thread puts. 0 when the message was written, else how many bytes
  // wait now; what made an earlier message or this one impossible, of which nothing is kept then.
  int64_t Put(const QueueItem& item);

  // Nothing is put any more. Everything is let go when what waits has been written.
  void Close();

  // What waits need not be written before the process ends.
  void Cancel();

  // Pushes (request, 0) when at most so many bytes wait, or (request, failure) once.
  void NotifyWhen(uint64_t most, std::shared_ptr<CompletionQueue> queue, int32_t request);
  void Forget(const std::shared_ptr<CompletionQueue>& queue, int32_t request);

  // Nothing after Cancel().
  Load load() const noexcept override;
  const std::string& name() const noexcept override { return name_; }
  void CutReader() noexcept override;
  bool Stop() noexcept override;

 private:
  struct Notice {
    uint64_t most;
    std::shared_ptr<CompletionQueue> queue;
    int32_t request;
  };

  int64_t PutNow(const QueueItem& item, QueueMessage* rest);
  int64_t Keep(QueueMessage&& message, bool holds_lock);
  int StartLocked();

  static void* ThreadMain(void* self);
  void Run();
  bool TakeIncoming();
  int Acquire();
  int Write();
  int WriteHeld();
  ssize_t WriteSome();
  int WaitForRoom() noexcept;
  int StopReason() noexcept;
  void Account(size_t messages, size_t bytes);
  void Fail(int status);
  void NotifyLocked(int status);
  void LetGo() noexcept;

  const std::string name_;
  Parts parts_;

  mutable std::mutex mutex_;  // For what follows.
  std::deque<QueueMessage> incoming_;
  std::vector<Notice> notices_;
  int failure_ = 0;
  bool running_ = false;
  bool sleeping_ = false;
  bool closed_ = false;
  Wake wake_;

  std::atomic<uint64_t> waiting_messages_{0};
  std::atomic<uint64_t> waiting_bytes_{0};
  std::atomic<bool> canceled_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> inside_{false};  // A message is half written.

  // The thread's own.
  std::deque<QueueMessage> messages_;
  bool holds_lock_ = false;  // Handed over together with a message that was begun.
};

}  // namespace mp
