// SPDX-License-Identifier: MIT
#include "queue/queue_reader.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "os/thread.h"
#include "queue/queue_recovery.h"
#include "util/status.h"

namespace mp {

namespace {

// How long a reader that is closed inside a message waits for the rest if there is no thread that
// could do so.
constexpr double kPatienceWithoutThreadMs = 1000;

int SliceMs(const Deadline& deadline) noexcept {
  if (deadline.never()) return static_cast<int>(kCheckInterval.count());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.Left());
  return static_cast<int>(std::min<std::chrono::milliseconds>(left, kCheckInterval).count());
}

// Why nothing can be got any more, whatever is in the pipe; 0 while something can.
int EndOf(uint32_t flags) noexcept {
  if ((flags & QueueState::kBroken) != 0) return kQueueBroken;
  return (flags & QueueState::kDropped) != 0 ? kShutDown : 0;
}

}  // namespace

int64_t QueueReader::Get(uint8_t* out, bool expected) {
  const uint32_t flags = resources_.state->Flags();
  const int end = EndOf(flags);
  // A message whose rest no member will write keeps the lock.
  if (in_message()) return end < 0 ? end : Read(out);
  if (end < 0) {
    ReleaseLock();
    return end;
  }
  const int nothing = (flags & QueueState::kIsShutDown) != 0 ? int{kShutDown} : -EAGAIN;
  // An item is often followed by another one, so after it the lock is taken without a check.
  const bool check_pipe = !expected && !std::exchange(expects_more_, false);
  if (check_pipe && !sys::IsReady(fd(), POLLIN)) {
    ReleaseLock();
    return nothing;
  }
  if (!holds_lock_) {
    int taken = resources_.rlock->TryAcquire();
    // A getter in Python holds the lock while it waits for an item, so a taken lock alone does not
    // mean that there is one.
    if (taken == -EAGAIN && !check_pipe && !expected && !sys::IsReady(fd(), POLLIN)) return nothing;
    if (taken == -EAGAIN) taken = resources_.rlock->TryAcquireBriefly();
    if (taken < 0) return taken == -EAGAIN ? -EBUSY : taken;
    holds_lock_ = true;
  }
  resources_.rlock->MarkMoving();
  const int64_t result = Read(out);
  return result == -EAGAIN && !holds_lock_ ? nothing : result;
}

int64_t QueueReader::GetLarge(uint8_t* into, size_t size, size_t budget) {
  Endpoint& endpoint = *resources_.reader;
  return FinishRead(endpoint.reader().ReadLarge(endpoint.source(), into, size, budget));
}

int64_t QueueReader::Read(uint8_t* out) {
  Endpoint& endpoint = *resources_.reader;
  return FinishRead(endpoint.reader().ReadSmall(endpoint.source(), out, UINT64_MAX));
}

// To be called after every read: at the boundary of two messages the lock is released.
int64_t QueueReader::FinishRead(int64_t result) noexcept {
  if (in_message()) return result;
  const bool got = result >= 0;
  expects_more_ = got;
  // A failed system call has moved nothing, and says nothing about the bytes in the pipe.
  const bool out_of_step = !got && !IsErrno(result) && result != kEndOfFile;
  if (out_of_step) {
    // The lock stays taken: no member could make sense of what comes next.
    resources_.state->Add(QueueState::kBroken);
    return result;
  }
  TrackedSemaphore* slots = resources_.slots.get();
  if (got && slots != nullptr) slots->CountReserved(1);
  ReleaseLock();
  if (got && slots != nullptr) {
    // More free slots than the queue has are the error of another member. The item is delivered all
    // the same.
    (void)slots->Release(resources_.max_slots);
    slots->CountReserved(-1);
  }
  return result;
}

QueueReader::~QueueReader() {
  if (!in_message()) {
    ReleaseLock();
    return;
  }
  auto* rest = new QueueReader(std::move(resources_));
  rest->holds_lock_ = std::exchange(holds_lock_, false);
  pthread_t thread{};
  const int started = StartThread(
      &thread, "mp-reader",
      [](void* reader) -> void* {
        static_cast<QueueReader*>(reader)->SkipRest(Deadline());
        delete static_cast<QueueReader*>(reader);
        return nullptr;
      },
      rest);
  if (started == 0) {
    ::pthread_detach(thread);
    return;
  }
  rest->SkipRest(Deadline::After(kPatienceWithoutThreadMs));
  // If the rest has not come, the record of the lock tells the other members that they cannot go
  // on.
  rest->holds_lock_ = false;
  delete rest;
}

void QueueReader::SkipRest(const Deadline& deadline) noexcept {
  Endpoint& endpoint = *resources_.reader;
  std::vector<uint8_t> slab(FrameReader::kSmallBytes);
  while (in_message()) {
    int64_t result = endpoint.reader().ReadSmall(endpoint.source(), slab.data(), UINT64_MAX);
    if (result == kLargeMessage) result = endpoint.reader().SkipLarge(endpoint.source());
    (void)FinishRead(result);
    pollfd more{fd(), POLLIN, 0};
    if (!in_message()) return;
    if (!deadline.never() && deadline.Left().count() == 0) return;
    if (sys::Poll(&more, 1, SliceMs(deadline)) == 0 && Check() < 0) return;
  }
}

void QueueReader::ReleaseLock() noexcept {
  if (!holds_lock_) return;
  holds_lock_ = false;
  resources_.rlock->Release(TrackedSemaphore::kNoLimit);
}

int QueueReader::Check() noexcept {
  int status = 0;
  if (in_message()) {
    status = CheckWriter(*resources_.wlock, fd());
  } else {
    (void)resources_.rlock->CheckHolder();
    status = RecoverLock(*resources_.rlock, *resources_.wlock, fd());
    undecided_ = status == -EAGAIN ? undecided_ + 1 : 0;
    if (status == -EAGAIN) status = undecided_ < kMaxUndecided ? 0 : int{kQueueBroken};
  }
  if (status == kQueueBroken) resources_.state->Add(QueueState::kBroken);
  return status;
}

}  // namespace mp
