// SPDX-License-Identifier: MIT
#include "queue/feeder.h"

#include <limits.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "os/sys.h"
#include "os/thread.h"
#include "queue/queue_recovery.h"
#include "util/status.h"
#include "util/steps.h"

namespace mp {

namespace {

// How long the thread waits for another burst after the last message.
constexpr std::chrono::milliseconds kLinger{100};

// How long the thread waits for memory that the kernel has not had for a write. No system reports
// when there is some again.
constexpr std::chrono::milliseconds kShortagePause{10};

// How long the thread sleeps for room in the record. A Python reader makes room and wakes none.
constexpr std::chrono::milliseconds kRoomSlice{10};

// How much is written before other members get the lock.
constexpr size_t kTurnBytes = 64 * 1024;

constexpr int kMaxParts = 64;

// How long the thread waits for a member in the middle of a call.
constexpr std::chrono::milliseconds kShortPause{1};

}  // namespace

int64_t Feeder::Put(const QueueItem& item) {
  // Held throughout: the thread must not end between its start and the first byte.
  const std::lock_guard lock(mutex_);
  if (failure_ < 0) return failure_;
  if (closed_) return -EBADF;
  QueueMessageHead head(item);
  const size_t size = head.size + item.size;
  const bool first = waiting_messages_.load(std::memory_order_acquire) == 0;
  // The kernel takes a message of this size whole or not at all.
  const bool whole = size <= PIPE_BUF;
  if (first && whole) {
    const ssize_t n = WriteNowLocked(head, item);
    if (n != -EAGAIN) return n < 0 ? n : 0;
  }
  // Whatever can fail comes before the first byte, which cannot be taken back.
  QueueMessage message;
  if (!message.Reserve(head, item)) return -ENOMEM;
  incoming_.push_back(std::move(message));
  const int started = StartLocked();
  const ssize_t n = started < 0 ? started : first && !whole ? WriteNowLocked(head, item) : -EAGAIN;
  if (started < 0 || (n < 0 && n != -EAGAIN) || n == static_cast<ssize_t>(size)) {
    incoming_.pop_back();
    return n < 0 ? n : 0;
  }
  QueueMessage& rest = incoming_.back();
  rest.Copy(head, item, n < 0 ? 0 : static_cast<size_t>(n));
  // The thread, which takes the message only with the mutex, is alone in using these from then on.
  if (n > 0) holds_lock_ = in_message_ = true;
  waiting_messages_.fetch_add(1);
  const uint64_t waiting = waiting_bytes_.fetch_add(rest.left()) + rest.left();
  more_.Signal();
  return static_cast<int64_t>(waiting);
}

// How many bytes were written; the lock is kept after only a part. -EAGAIN if another member has
// the lock or the pipe has no room.
ssize_t Feeder::WriteNowLocked(QueueMessageHead& head, const QueueItem& item) {
  TrackedSemaphore& wlock = *resources_.wlock;
  const int taken = wlock.TryAcquireBriefly();
  if (taken < 0) return taken;
  const int prepared = Prepare();
  if (prepared < 0 || (record_ != nullptr && record_->Room() == 0)) {
    wlock.Release(TrackedSemaphore::kNoLimit);
    return prepared < 0 ? prepared : -EAGAIN;
  }
  const auto size = static_cast<ssize_t>(head.size + item.size);
  const iovec iov[2] = {{head.bytes, head.size}, {const_cast<uint8_t*>(item.payload), item.size}};
  if (record_ == nullptr && size > PIPE_BUF) wlock.MarkMoving();
  Begin(head.size + item.size);
  const ssize_t n = Send(iov, item.size > 0 ? 2 : 1);
  if (n > 0 && n < size) return n;
  if (n < 0) TakeBack(1);
  wlock.Release(TrackedSemaphore::kNoLimit);
  return n;
}

// To be called with the lock before an item is begun: sets right what a dead writer has left.
int Feeder::Prepare() noexcept {
  StreamRecord* record = resources_.record.get();
  record_ = nullptr;
  if (record == nullptr) return 0;
  const StreamResources stream{resources_.record, resources_.rlock, resources_.wlock, nullptr,
                               resources_.is_joinable};
  const int status = RepairWriter(stream, resources_.writer->fd());
  if (status == kQueueBroken) resources_.state->Add(QueueState::kBroken);
  if (record->is_kept()) record_ = record;
  return status;
}

// The item's slot is that of an item in the pipe from now on, and the item is no longer one on its
// way there. That is said first: what a process that has died still has was not in the pipe.
void Feeder::Begin(size_t size) noexcept {
  if (resources_.slots) resources_.slots->PassOn(1);
  Step();
  resources_.accepted->PassOn(1);
  Step();
  if (record_ != nullptr) record_->Note(size);
}

// The items that were begun last have no byte in the pipe.
void Feeder::TakeBack(uint32_t items) noexcept {
  if (record_ != nullptr) record_->TakeBack();
  if (resources_.slots) resources_.slots->KeepAgain(items);
  resources_.accepted->KeepAgain(items);
}

ssize_t Feeder::Send(const iovec* iov, int count) noexcept {
  ByteSink& pipe = resources_.writer->sink();
  return record_ != nullptr ? record_->Write(pipe, iov, count) : pipe.Write(iov, count);
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
    while (!incoming_.empty()) {
      messages_.push_back(std::move(incoming_.front()));
      incoming_.pop_front();
    }
    if (!messages_.empty()) return true;
    if (closed_ || lingered || failure_ < 0) {
      running_ = false;
      if (closed_) ReleaseResources();
      Feeders::Remove(this);
      return false;
    }
    lingered = !more_.WaitFor(mutex_, kLinger);
  }
}

// Writes what the thread has, at most one turn's share of it.
int Feeder::Write() {
  if (!holds_lock_) {
    // A process that is killed while it waits for room holds nothing.
    int status = WaitForRoom();
    if (status == 0) status = Acquire();
    if (status < 0) return status;
    status = Prepare();
    if (status < 0) {
      resources_.wlock->Release(TrackedSemaphore::kNoLimit);
      // A member is in the middle of a call.
      if (status == -EAGAIN) std::this_thread::sleep_for(kShortPause);
      return status == -EAGAIN ? 0 : status;
    }
    holds_lock_ = true;
  }
  const int status = WriteHeld();
  if (in_message_ && record_ != nullptr) record_->Tear();
  const bool keeps = status == kQueueBroken && record_ == nullptr;
  holds_lock_ = in_message_ = false;
  // No member may begin another message inside an unfinished one.
  if (!keeps) resources_.wlock->Release(TrackedSemaphore::kNoLimit);
  return status;
}

int Feeder::Acquire() {
  TrackedSemaphore& wlock = *resources_.wlock;
  for (int undecided = 0;;) {
    int status = wlock.TryAcquire();
    if (status == -EAGAIN) status = wlock.Wait(kCheckInterval);
    if (status == 0) return 0;
    if (status == -EAGAIN) continue;
    if (status != -ETIMEDOUT && status != -EINTR) return status;
    const int reason = StopReason();
    if (reason < 0) return reason;
    const int holder = wlock.CheckHolder();
    if (holder == -EIO) return holder;
    if (holder != kOwnerDied) continue;
    const std::shared_ptr<Endpoint> reader = resources_.reader.lock();
    // Without the pipe's reader nothing can be proved.
    const int recovered =
        reader ? RecoverLock(wlock, *resources_.rlock, reader->fd()) : int{kQueueBroken};
    if (recovered == kQueueBroken || (recovered == -EAGAIN && ++undecided == kMaxUndecided)) {
      resources_.state->Add(QueueState::kBroken);
      return kQueueBroken;
    }
  }
}

// With the lock. Ends at the boundary of two messages.
int Feeder::WriteHeld() {
  for (size_t written = 0; !messages_.empty() && (in_message_ || written < kTurnBytes);) {
    const int reason = StopReason();
    if (reason < 0 && !in_message_) return reason;
    const ssize_t n = WriteSome();
    if (n >= 0) {
      written += static_cast<size_t>(n);
      continue;
    }
    // What was accepted is not lost because the system lacks something for a moment.
    if (sys::IsShortage(n))
      std::this_thread::sleep_for(kShortagePause);
    else if (n != -EAGAIN)
      return static_cast<int>(n);
    if (!in_message_) return 0;
    const int room = WaitForPipe();
    if (room < 0) return room == kShutDown ? static_cast<int>(kQueueBroken) : room;
  }
  return 0;
}

// Writes as many messages as the kernel keeps in one piece, or (a part of) one that is longer.
ssize_t Feeder::WriteSome() {
  iovec iov[kMaxParts];
  int count = 0;
  size_t total = 0;
  uint32_t begun = 0;
  const uint64_t room = record_ == nullptr ? UINT64_MAX : record_->Room();
  for (const QueueMessage& message : messages_) {
    const size_t left = message.left();
    const bool begins = message.sent == 0;
    if (count == kMaxParts || (count > 0 && total + left > PIPE_BUF)) break;
    if (begins && begun == room) break;
    if (begins) begun++;
    iov[count++] = {message.bytes + message.sent, left};
    total += left;
    if (total > PIPE_BUF) break;
  }
  if (count == 0) return -EAGAIN;
  const bool whole = total <= PIPE_BUF && !in_message_;
  if (!whole && record_ == nullptr) resources_.wlock->MarkMoving();
  uint32_t to_begin = begun;
  for (const QueueMessage& message : messages_) {
    if (to_begin == 0) break;
    if (message.sent > 0) continue;
    Begin(message.size);
    to_begin--;
  }
  const ssize_t n = Send(iov, count);
  if (n < 0) {
    if (begun > 0) TakeBack(begun);
    if (!in_message_ && record_ == nullptr) resources_.wlock->MarkAtBoundary();
    return n;
  }
  size_t left = static_cast<size_t>(n);
  size_t done = 0;
  while (left > 0) {
    QueueMessage& front = messages_.front();
    const size_t part = std::min(left, front.left());
    front.sent += part;
    left -= part;
    if (front.left() > 0) break;
    messages_.pop_front();
    done++;
  }
  in_message_ = !messages_.empty() && messages_.front().sent > 0;
  if (!in_message_ && record_ == nullptr) resources_.wlock->MarkAtBoundary();
  CountWritten(done, static_cast<size_t>(n));
  return n;
}

// 0 once there may be room for an item, in the pipe and in the record.
int Feeder::WaitForRoom() noexcept {
  const StreamRecord* record = resources_.record.get();
  while (record != nullptr && record->is_kept() && record->Room() == 0) {
    const int reason = StopReason();
    if (reason < 0) return reason;
    resources_.record->AwaitRoom(std::chrono::nanoseconds(kRoomSlice).count());
  }
  return WaitForPipe();
}

int Feeder::WaitForPipe() noexcept {
  for (;;) {
    pollfd room{resources_.writer->fd(), POLLOUT, 0};
    const int ready = sys::Poll(&room, 1, static_cast<int>(kCheckInterval.count()));
    if (ready > 0) return 0;
    const int reason = StopReason();
    if (reason < 0) return reason;
  }
}

int Feeder::StopReason() noexcept {
  if (stopped_ && !in_message_) return -ECANCELED;
  const uint32_t flags = resources_.state->Flags();
  if ((flags & QueueState::kBroken) != 0) return kQueueBroken;
  // After a shutdown, items that were put before are still written, unless they are dropped.
  return (flags & QueueState::kDropped) != 0 ? kShutDown : 0;
}

void Feeder::CountWritten(size_t messages, size_t bytes) {
  const std::lock_guard lock(mutex_);
  waiting_bytes_.fetch_sub(bytes);
  if (waiting_messages_.fetch_sub(messages) == messages) Feeders::CheckIdle();
  NotifyLocked(0);
}

// Neither the messages that wait will be written, nor those that are put later.
void Feeder::Fail(int status) {
  const std::lock_guard lock(mutex_);
  size_t lost = messages_.size() + incoming_.size();
  // The slot of an item that was begun belongs to the pipe, unless no reader is left to return it.
  const bool begun = !messages_.empty() && messages_.front().sent > 0;
  if (begun && status != -EPIPE) lost--;
  for (size_t i = 0; resources_.slots && i < lost; i++) {
    resources_.slots->Release(TrackedSemaphore::kNoLimit);
  }
  // No member finishes these. They are not lost with a process: the reason is known to all.
  if (resources_.record) {
    resources_.record->layout().in_other_hands.fetch_add(resources_.accepted->slots());
    resources_.accepted->PassOn(UINT32_MAX);
  }
  messages_.clear();
  incoming_.clear();
  failure_ = status;
  waiting_bytes_.store(0);
  waiting_messages_.store(0);
  NotifyLocked(status);
  Feeders::CheckIdle();
}

void Feeder::Cancel() {
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
  closed_ = true;
  if (!running_) {
    ReleaseResources();
  } else {
    more_.Signal();
  }
}

void Feeder::ReleaseResources() noexcept { resources_ = FeederResources(); }

Feeder::Load Feeder::load() const noexcept {
  if (canceled_.load(std::memory_order_relaxed)) return {};
  return {waiting_messages_.load(), waiting_bytes_.load()};
}

void Feeder::CutReader() noexcept {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Endpoint> reader = resources_.reader.lock();
  if (reader) reader->CutOff();
}

bool Feeder::Stop() noexcept {
  stopped_ = true;
  return !in_message_;
}

}  // namespace mp
