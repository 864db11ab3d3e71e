// SPDX-License-Identifier: MIT
#include "queue/feeder.h"

#include <limits.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "os/sys.h"
#include "os/thread.h"
#include "util/status.h"

namespace mp {

namespace {

using Clock = std::chrono::steady_clock;

// How long the thread waits for another burst after the last message.
constexpr std::chrono::milliseconds kLinger{100};

// How long the thread waits for memory that the kernel has not had for a write. No system reports
// when there is some again.
constexpr std::chrono::milliseconds kShortagePause{10};

// How long a gathered item waits for company at most.
constexpr std::chrono::milliseconds kGatherTime{1};

// So much is gathered before it is written.
constexpr size_t kGatheredBytes = QueueMessageBlock::kBytes;

// How much is written before other members get the lock.
constexpr size_t kTurnBytes = 64 * 1024;

}  // namespace

int64_t Feeder::Put(const QueueItem& item, bool gather) {
  // Held throughout: the thread must not end between its start and the first byte.
  const std::lock_guard lock(mutex_);
  if (failure_ < 0) return failure_;
  if (closed_) return -EBADF;
  QueueMessageHead head(item);
  const size_t size = head.size + item.size;
  // The kernel takes a message of this size whole or not at all.
  const bool whole = size <= PIPE_BUF;
  // Without the thread nothing may wait here.
  gather = gather && whole && StartLocked() == 0;
  if (!gather) FlushLocked();
  const bool first = waiting_messages_.load(std::memory_order_acquire) == 0;
  if (first && whole && !gather) {
    const ssize_t n = pipe_.WriteNow(head, item);
    if (n != -EAGAIN) return n < 0 ? n : 0;
  }
  // Whatever can fail comes before the first byte, which cannot be taken back.
  QueueMessage message;
  if (!message.Reserve(head, item, block_)) return -ENOMEM;
  const int started = StartLocked();
  if (started < 0) return started;
  const ssize_t n = first && !whole ? pipe_.WriteNow(head, item) : -EAGAIN;
  if ((n < 0 && n != -EAGAIN) || n == static_cast<ssize_t>(size)) return n < 0 ? n : 0;
  message.Copy(head, item, n < 0 ? 0 : static_cast<size_t>(n));
  if (incoming_.empty()) gathered_at_ = Clock::now();
  waiting_messages_.fetch_add(1);
  const uint64_t waiting = waiting_bytes_.fetch_add(message.left()) + message.left();
  incoming_.push_back(std::move(message));
  if (!gather) {
    urgent_ = true;
    WakeLocked();
  } else if (waiting >= kGatheredBytes) {
    FlushLocked();
  } else if (!awake_) {
    WakeLocked();
  }
  return static_cast<int64_t>(waiting_bytes_.load());
}

void Feeder::Flush() {
  const std::lock_guard lock(mutex_);
  FlushLocked();
}

// Whatever goes wrong here, the thread meets it too and deals with it.
void Feeder::FlushLocked() {
  if (incoming_.empty() || urgent_) return;
  if (!busy_ && pipe_.TryTake() == 0) {
    for (ssize_t n = 0; n >= 0 && !incoming_.empty();) {
      size_t done = 0;
      n = pipe_.WriteSome(incoming_, &done);
      if (n > 0) CountWrittenLocked(done, static_cast<size_t>(n));
    }
    pipe_.Release(0);
  }
  if (incoming_.empty()) return;
  urgent_ = true;
  WakeLocked();
}

void Feeder::WakeLocked() noexcept {
  // A thread that is busy looks again by itself.
  if (!busy_) more_.Signal();
  awake_ = true;
}

int Feeder::StartLocked() {
  if (running_) return 0;
  Feeders::Add(shared_from_this());
  auto* self = new std::shared_ptr<Feeder>(shared_from_this());
  pthread_t thread{};
  const int started = StartThread(&thread, "mp-feeder", ThreadMain, self);
  if (started < 0) {
    delete self;
    Feeders::Remove(this);
    // -EAGAIN says something else here.
    return started == -EAGAIN ? int{kNoThread} : started;
  }
  ::pthread_detach(thread);
  running_ = true;
  return 0;
}

void* Feeder::ThreadMain(void* argument) {
  auto* self = static_cast<std::shared_ptr<Feeder>*>(argument);
  (*self)->Run();
  delete self;
  return nullptr;
}

void Feeder::Run() {
  while (AwaitIncoming()) {
    const int status = Write();
    if (status < 0) Fail(status);
  }
}

// Waits for something to write. False when the thread must end, of which it has informed the
// others.
bool Feeder::AwaitIncoming() {
  const std::lock_guard lock(mutex_);
  for (bool lingered = false;;) {
    const auto due = gathered_at_ + kGatherTime - Clock::now();
    if (!incoming_.empty() && (urgent_ || closed_ || due.count() <= 0)) {
      for (QueueMessage& message : incoming_) messages_.push_back(std::move(message));
      incoming_.clear();
      urgent_ = false;
    }
    busy_ = !messages_.empty();
    if (busy_) return true;
    if (!incoming_.empty()) {
      (void)more_.WaitFor(mutex_, due);
      lingered = false;
      continue;
    }
    awake_ = false;
    if (closed_ || lingered || failure_ < 0) {
      running_ = false;
      block_.Release();
      if (closed_) pipe_.ReleaseResources();
      Feeders::Remove(this);
      return false;
    }
    lingered = !more_.WaitFor(mutex_, kLinger);
  }
}

// Writes what the thread has, at most one turn's share of it.
int Feeder::Write() {
  if (!pipe_.holds_lock()) {
    const int status = pipe_.Take();
    if (status < 0) return status == -EAGAIN ? 0 : status;
  }
  const int status = WriteHeld();
  pipe_.Release(status);
  return status;
}

// With the lock. Ends at the boundary of two messages.
int Feeder::WriteHeld() {
  for (size_t written = 0; !messages_.empty() && (pipe_.in_message() || written < kTurnBytes);) {
    const int reason = pipe_.StopReason();
    if (reason < 0 && !pipe_.in_message()) return reason;
    size_t done = 0;
    const ssize_t n = pipe_.WriteSome(messages_, &done);
    if (n >= 0) {
      written += static_cast<size_t>(n);
      const std::lock_guard lock(mutex_);
      CountWrittenLocked(done, static_cast<size_t>(n));
      continue;
    }
    // What was accepted is not lost because the system lacks something for a moment.
    if (sys::IsShortage(n))
      std::this_thread::sleep_for(kShortagePause);
    else if (n != -EAGAIN)
      return static_cast<int>(n);
    if (!pipe_.in_message()) return 0;
    const int room = pipe_.WaitForPipe();
    if (room < 0) return room == kShutDown ? static_cast<int>(kQueueBroken) : room;
  }
  return 0;
}

void Feeder::CountWrittenLocked(size_t messages, size_t bytes) {
  waiting_bytes_.fetch_sub(bytes);
  if (waiting_messages_.fetch_sub(messages) == messages) Feeders::CheckIdle();
  NotifyLocked(0);
}

// Neither the messages that wait will be written, nor those that are put later.
void Feeder::Fail(int status) {
  const std::lock_guard lock(mutex_);
  const bool begun = !messages_.empty() && messages_.front().sent > 0 && status != -EPIPE;
  pipe_.GiveUp(messages_.size() + incoming_.size(), begun);
  messages_.clear();
  incoming_.clear();
  urgent_ = false;
  failure_ = status;
  waiting_bytes_.store(0);
  waiting_messages_.store(0);
  NotifyLocked(status);
  Feeders::CheckIdle();
}

void Feeder::Cancel() {
  Flush();
  canceled_ = true;
  Feeders::CheckIdle();
}

void Feeder::NotifyLocked(int status) {
  const uint64_t bytes = waiting_bytes_.load();
  std::erase_if(notices_, [&](const Notice& notice) {
    if (status == 0 && bytes > notice.max_bytes) return false;
    notice.queue->Push({notice.request, status, nullptr});
    return true;
  });
}

void Feeder::NotifyWhen(uint64_t max_bytes, std::shared_ptr<CompletionQueue> queue,
                        int32_t request) {
  const std::lock_guard lock(mutex_);
  FlushLocked();
  notices_.push_back({max_bytes, std::move(queue), request});
  NotifyLocked(failure_);
}

void Feeder::Forget(const std::shared_ptr<CompletionQueue>& queue, int32_t request) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(notices_, [&](const Notice& notice) {
      return notice.queue == queue && notice.request == request;
    });
  }
  queue->Withdraw([&](int32_t pushed) { return pushed == request; });
}

void Feeder::Close() {
  const std::lock_guard lock(mutex_);
  FlushLocked();
  closed_ = true;
  if (!running_) {
    pipe_.ReleaseResources();
  } else {
    more_.Signal();
  }
}

Feeder::Load Feeder::load() const noexcept {
  if (canceled_.load(std::memory_order_relaxed)) return {};
  return {waiting_messages_.load(), waiting_bytes_.load()};
}

void Feeder::CutReader() noexcept {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Endpoint> reader = pipe_.resources().reader.lock();
  if (reader) reader->CutOff();
}

bool Feeder::Stop() noexcept {
  pipe_.Stop();
  return !pipe_.in_message();
}

}  // namespace mp
