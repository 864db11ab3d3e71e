// SPDX-License-Identifier: MIT
#include "queue/pipe_writer.h"

#include <limits.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "os/sys.h"
#include "recovery/queue_recovery.h"
#include "util/status.h"
#include "util/steps.h"

namespace mp {

namespace {

// How long the thread sleeps for room in the record. A Python reader makes room and wakes none.
constexpr std::chrono::milliseconds kRoomSlice{10};

// How long the thread waits for a member in the middle of a call.
constexpr std::chrono::milliseconds kShortPause{1};

constexpr int kMaxParts = 64;

}  // namespace

ssize_t PipeWriter::WriteNow(QueueMessageHead& head, const QueueItem& item) {
  const int taken = TryTake();
  if (taken < 0) return taken;
  const auto size = static_cast<ssize_t>(head.size + item.size);
  const iovec iov[2] = {{head.bytes, head.size}, {const_cast<uint8_t*>(item.payload), item.size}};
  if (record_ == nullptr && size > PIPE_BUF) resources_.wlock->MarkMoving();
  Begin(1, [size] { return static_cast<uint64_t>(size); });
  const ssize_t n = Send(iov, item.size > 0 ? 2 : 1);
  if (n > 0 && n < size) {
    // The thread goes on with the message.
    in_message_ = true;
    return n;
  }
  if (n < 0) TakeBack(1);
  Release(0);
  return n;
}

int PipeWriter::TryTake() noexcept {
  int status = resources_.wlock->TryAcquireBriefly();
  if (status < 0) return status;
  status = Prepare();
  if (status == 0 && record_ != nullptr && record_->Room() == 0) status = -EAGAIN;
  if (status < 0) {
    resources_.wlock->Release(TrackedSemaphore::kNoLimit);
    return status;
  }
  holds_lock_ = true;
  return 0;
}

// To be called with the lock before an item is begun: sets right what a dead writer has left.
int PipeWriter::Prepare() noexcept {
  StreamRecord* record = resources_.record.get();
  record_ = nullptr;
  if (record == nullptr) return 0;
  const StreamResources stream{
      resources_.record, resources_.rlock,       resources_.wlock,
      nullptr,           resources_.is_joinable, resources_.slots ? resources_.slots->number() : 0};
  const int status = RepairWriter(stream, resources_.writer->fd());
  if (status == kQueueBroken) resources_.state->Add(QueueState::kBroken);
  if (record->is_kept()) record_ = record;
  return status;
}

// The slots of these items are those of items in the pipe from now on, and the items are no longer
// on their way there. That is said first: what a process that has died still has was not in the
// pipe.
template <typename Next>
void PipeWriter::Begin(uint32_t items, Next next) noexcept {
  if (items == 0) return;
  if (resources_.slots) resources_.slots->PassOn(items);
  Step();
  if (record_ == nullptr) {
    resources_.accepted->PassOn(items);
    return;
  }
  record_->BeginNoting(items);
  resources_.accepted->PassOnBy(items, [&] { record_->NoteMany(items, next); });
  record_->EndNoting();
}

// The items that were begun last have no byte in the pipe.
void PipeWriter::TakeBack(uint32_t items) noexcept {
  if (record_ == nullptr) {
    resources_.accepted->KeepAgain(items);
  } else {
    record_->BeginNoting(0);
    resources_.accepted->KeepAgainBy(items, [this] { record_->TakeBack(); });
    record_->EndNoting();
  }
  if (resources_.slots) resources_.slots->KeepAgain(items);
}

ssize_t PipeWriter::Send(const iovec* iov, int count) noexcept {
  ByteSink& pipe = resources_.writer->sink();
  return record_ != nullptr ? record_->Write(pipe, iov, count) : pipe.Write(iov, count);
}

int PipeWriter::Take() {
  // A process that is killed while it waits for room holds nothing.
  int status = WaitForRoom();
  if (status == 0) status = Acquire();
  if (status < 0) return status;
  status = Prepare();
  if (status < 0) {
    resources_.wlock->Release(TrackedSemaphore::kNoLimit);
    // A member is in the middle of a call.
    if (status == -EAGAIN) std::this_thread::sleep_for(kShortPause);
    return status;
  }
  holds_lock_ = true;
  return 0;
}

int PipeWriter::Acquire() {
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

ssize_t PipeWriter::WriteSome(std::deque<QueueMessage>& messages, size_t* done) {
  iovec iov[kMaxParts];
  int count = 0;
  size_t total = 0;
  uint32_t begun = 0;
  const uint64_t room = record_ == nullptr ? UINT64_MAX : record_->Room();
  for (const QueueMessage& message : messages) {
    const size_t left = message.left();
    const bool begins = message.sent == 0;
    uint8_t* const from = message.bytes + message.sent;
    if (total > 0 && total + left > PIPE_BUF) break;
    if (begins && begun == room) break;
    iovec& last = iov[count > 0 ? count - 1 : 0];
    const bool joins = count > 0 && static_cast<uint8_t*>(last.iov_base) + last.iov_len == from;
    if (joins) {
      last.iov_len += left;
    } else if (count < kMaxParts) {
      iov[count++] = {from, left};
    } else {
      break;
    }
    if (begins) begun++;
    total += left;
    if (total > PIPE_BUF) break;
  }
  if (count == 0) return -EAGAIN;
  const bool whole = total <= PIPE_BUF && !in_message_;
  if (!whole && record_ == nullptr) resources_.wlock->MarkMoving();
  // All but the first message begin here.
  auto next = messages.begin() + (messages.front().sent > 0 ? 1 : 0);
  Begin(begun, [&next] { return (next++)->size; });
  const ssize_t n = Send(iov, count);
  if (n < 0) {
    if (begun > 0) TakeBack(begun);
    if (!in_message_ && record_ == nullptr) resources_.wlock->MarkAtBoundary();
    return n;
  }
  for (size_t left = static_cast<size_t>(n); left > 0;) {
    QueueMessage& front = messages.front();
    const size_t part = std::min(left, front.left());
    front.sent += part;
    left -= part;
    if (front.left() > 0) break;
    messages.pop_front();
    ++*done;
  }
  in_message_ = !messages.empty() && messages.front().sent > 0;
  if (!in_message_ && record_ == nullptr) resources_.wlock->MarkAtBoundary();
  return n;
}

void PipeWriter::Release(int status) noexcept {
  if (in_message_ && record_ != nullptr) record_->Tear();
  const bool keeps = status == kQueueBroken && record_ == nullptr;
  holds_lock_ = in_message_ = false;
  // No member may begin another message inside an unfinished one.
  if (!keeps) resources_.wlock->Release(TrackedSemaphore::kNoLimit);
}

// 0 once there may be room for an item, in the pipe and in the record.
int PipeWriter::WaitForRoom() noexcept {
  const StreamRecord* record = resources_.record.get();
  while (record != nullptr && record->is_kept() && record->Room() == 0) {
    const int reason = StopReason();
    if (reason < 0) return reason;
    resources_.record->AwaitRoom(std::chrono::nanoseconds(kRoomSlice).count());
  }
  return WaitForPipe();
}

int PipeWriter::WaitForPipe() noexcept {
  for (;;) {
    pollfd room{resources_.writer->fd(), POLLOUT, 0};
    const int ready = sys::Poll(&room, 1, static_cast<int>(kCheckInterval.count()));
    if (ready > 0) return 0;
    const int reason = StopReason();
    if (reason < 0) return reason;
  }
}

int PipeWriter::StopReason() noexcept {
  if (stopped_ && !in_message_) return -ECANCELED;
  const uint32_t flags = resources_.state->Flags();
  if ((flags & QueueState::kBroken) != 0) return kQueueBroken;
  // After a shutdown, items that were put before are still written, unless they are dropped.
  return (flags & QueueState::kDropped) != 0 ? kShutDown : 0;
}

void PipeWriter::GiveUp(size_t items, bool begun) noexcept {
  for (size_t i = begun ? 1 : 0; resources_.slots && i < items; i++) {
    resources_.slots->Release(TrackedSemaphore::kNoLimit);
  }
  // No member finishes these. They are not lost with a process: the reason is known to all.
  if (resources_.record) {
    resources_.record->layout().in_other_hands.fetch_add(resources_.accepted->slots());
    resources_.accepted->PassOn(UINT32_MAX);
  }
}

}  // namespace mp
