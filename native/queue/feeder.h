// SPDX-License-Identifier: MIT
//
// Moves the items that one environment puts on a queue into the queue's pipe. The thread that puts
// an item writes it at once, or gathers small ones and writes many together, as far as there is
// room. The rest waits here, in memory of its own, and is written by the feeder's thread, whether
// JavaScript is busy or not; what was gathered, after a millisecond. That thread is started when
// there is something to write and ends when there has been nothing for a while. It needs no
// environment: what a worker has put is still written when the worker has ended.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "os/condition.h"
#include "queue/feeders.h"
#include "queue/pipe_writer.h"
#include "queue/queue_message.h"
#include "semaphores/completion_queue.h"

namespace mp {

class Feeder final : public RunningFeeder, public std::enable_shared_from_this<Feeder> {
 public:
  explicit Feeder(PipeResources resources)
      : name_(resources.rlock->semaphore().name()), pipe_(std::move(resources)) {}
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  // Only the environment's own thread puts. Returns 0 when the message was written, else how many
  // bytes wait now. If this message or an earlier one cannot be written, returns the reason: then
  // nothing of this one is kept or written. Memory and the thread are there before the first byte
  // of a message is written that the thread may have to complete. With `gather`, a small message
  // waits for others, and for Flush().
  int64_t Put(const QueueItem& item, bool gather = false);
  // Writes what was gathered, as far as there is room. The thread writes the rest.
  void Flush();

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

  void FlushLocked();
  void WakeLocked() noexcept;
  int StartLocked();

  static void* ThreadMain(void* self);
  void Run();
  bool AwaitIncoming();
  int Write();
  int WriteHeld();
  void CountWrittenLocked(size_t messages, size_t bytes);
  void Fail(int status);
  void NotifyLocked(int status);

  const std::string name_;
  // Used by the thread while it is busy, and else with the mutex.
  PipeWriter pipe_;

  mutable std::mutex mutex_;  // For the members up to `more_`.
  std::deque<QueueMessage> incoming_;
  QueueMessageBlock block_;
  std::chrono::steady_clock::time_point gathered_at_{};  // The first of `incoming_`.
  bool urgent_ = false;  // What is in `incoming_` waits for no company.
  bool awake_ = false;   // The thread looks at `incoming_` in time by itself.
  bool busy_ = false;    // The thread has messages.
  std::vector<Notice> notices_;
  int failure_ = 0;
  bool running_ = false;
  bool closed_ = false;
  Condition more_;

  std::atomic<uint64_t> waiting_messages_{0};
  std::atomic<uint64_t> waiting_bytes_{0};
  std::atomic<bool> canceled_{false};

  // Used by the thread only.
  std::deque<QueueMessage> messages_;
};

}  // namespace mp
