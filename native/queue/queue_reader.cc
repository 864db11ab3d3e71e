// SPDX-License-Identifier: MIT
#include "queue/queue_reader.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "os/sys.h"
#include "os/thread.h"
#include "queue/queue_recovery.h"
#include "util/status.h"

namespace mp {

namespace {

// How often the lock is tried before it is waited for. Another process holds it for about as long
// as a read takes.
constexpr int kTries = 20;

// So often somebody who waits for the rest of a message looks whether it can still come.
constexpr int kLookMs = 500;

// How often a dead holder's lock that cannot be judged is looked at before it is given up.
constexpr int kMostLooks = 4;

int Slice(const Deadline& deadline) noexcept {
  if (deadline.never()) return kLookMs;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.Left()).count();
  return static_cast<int>(std::min<int64_t>(left, kLookMs));
}

}  // namespace

int64_t QueueReader::Get(uint8_t* out, bool expected) {
  if (!inside()) {
    const uint32_t flags = parts_.state->Flags();
    if ((flags & (QueueState::kBroken | QueueState::kDropped)) != 0) {
      GiveBack();
      return (flags & QueueState::kBroken) != 0 ? kQueueBroken : kShutDown;
    }
    const int nothing = (flags & QueueState::kIsShutDown) != 0 ? kShutDown : -EAGAIN;
    // After an item there is mostly another one, so the lock is not taken for nothing then.
    const bool look = !expected && !std::exchange(likely_, false);
    if (look && !sys::IsReady(parts_.reader->fd(), POLLIN)) {
      GiveBack();
      return nothing;
    }
    if (!holds_) {
      int taken = parts_.rlock->TryAcquire();
      // Who has it may be waiting for an item himself, as getters in Python do.
      if (taken == -EAGAIN && !look && !expected && !sys::IsReady(parts_.reader->fd(), POLLIN))
        return nothing;
      for (int i = 0; taken == -EAGAIN && i < kTries; i++) {
        std::this_thread::yield();
        taken = parts_.rlock->TryAcquire();
      }
      if (taken < 0) return taken == -EAGAIN ? -EBUSY : taken;
      holds_ = true;
    }
    parts_.rlock->MarkMoving();
    const int64_t result =
        End(parts_.reader->reader().ReadSmall(parts_.reader->source(), out, UINT64_MAX));
    return result == -EAGAIN && !holds_ ? nothing : result;
  }
  return End(parts_.reader->reader().ReadSmall(parts_.reader->source(), out, UINT64_MAX));
}

int64_t QueueReader::GetLarge(uint8_t* into, size_t size, size_t budget) {
  return End(parts_.reader->reader().ReadLarge(parts_.reader->source(), into, size, budget));
}

// After every read: at the boundary of two messages the lock goes back.
int64_t QueueReader::End(int64_t result) noexcept {
  if (inside()) return result;
  const bool got = result >= 0;
  likely_ = got;
  const bool out_of_step = !got && result != -EAGAIN && result != kEndOfFile;
  if (out_of_step) {
    // The lock stays taken: nobody could make anything of what comes next.
    parts_.state->Add(QueueState::kBroken);
    return result;
  }
  if (got && parts_.places) parts_.places->CountTaken(1);
  GiveBack();
  if (got && parts_.places) {
    // Too many places are somebody else's error. The item is delivered all the same.
    (void)parts_.places->Release(parts_.most_places);
    parts_.places->CountTaken(-1);
  }
  return result;
}

QueueReader::~QueueReader() {
  if (!inside()) {
    GiveBack();
    return;
  }
  auto* rest = new QueueReader(std::move(parts_));
  rest->holds_ = std::exchange(holds_, false);
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
  // What is recorded of the lock tells the others that they cannot go on.
  rest->holds_ = false;
  delete rest;
}

void QueueReader::SkipRest(const Deadline& deadline) noexcept {
  std::vector<uint8_t> nowhere(FrameReader::kSmallBytes);
  while (inside()) {
    int64_t result =
        parts_.reader->reader().ReadSmall(parts_.reader->source(), nowhere.data(), UINT64_MAX);
    if (result == kLargeMessage)
      result = parts_.reader->reader().SkipLarge(parts_.reader->source());
    (void)End(result);
    pollfd more{parts_.reader->fd(), POLLIN, 0};
    if (!inside()) return;
    if (!deadline.never() && deadline.Left().count() == 0) return;
    if (sys::Poll(&more, 1, Slice(deadline)) == 0 && Check() < 0) return;
  }
}

void QueueReader::GiveBack() noexcept {
  if (!holds_) return;
  holds_ = false;
  parts_.rlock->Release(TrackedSemaphore::kNoLimit);
}

int QueueReader::Check() noexcept {
  int status = 0;
  if (inside()) {
    status = CheckWriter(*parts_.wlock, parts_.reader->fd());
  } else {
    (void)parts_.rlock->CheckHolder();
    status = MendQueue(*parts_.rlock, *parts_.wlock, parts_.reader->fd());
    looks_ = status == -EAGAIN ? looks_ + 1 : 0;
    if (status == -EAGAIN) status = looks_ < kMostLooks ? 0 : static_cast<int>(kQueueBroken);
  }
  if (status == kQueueBroken) parts_.state->Add(QueueState::kBroken);
  return status;
}

}  // namespace mp
