// SPDX-License-Identifier: MIT
#include "io/outbox.h"

#include <cerrno>
#include <utility>

#include "os/sys.h"

namespace mp {

namespace {

// How long messages wait for the environment's thread.
constexpr std::chrono::milliseconds kPatience{1};

// How much the other thread writes before it looks at other endpoints.
constexpr size_t kLateBytes = 256 * 1024;

}  // namespace

// Keeps the order: what is in the slab was sent before.
void Outbox::CollectLocked() {
  if (slab_ == nullptr) return;
  writer_.AppendFrames(slab_->frames(), slab_->size());
  slab_->TakeBack();
  slab_ = nullptr;
}

// Writes the messages in the slab without copying them first, as far as there is room.
int64_t Outbox::WriteSlabLocked(ByteSink& sink) {
  const size_t size = slab_->size();
  const int64_t completed = writer_.SendFrames(sink, slab_->frames(), size);
  if (completed >= 0) slab_->Take(size);
  return completed;
}

void Outbox::ScheduleLocked() noexcept {
  if (!accepts_) return;
  if (failure_ < 0 || (writer_.empty() && slab_ == nullptr))
    due_.store(0);
  else
    Postpone();
}

void Outbox::Postpone() noexcept {
  const auto due = Clock::now().time_since_epoch() + kPatience;
  due_.store(std::chrono::nanoseconds(due).count());
}

int64_t Outbox::Send(ByteSink& sink, const uint8_t* payload, size_t size) {
  const std::lock_guard lock(mutex_);
  CollectLocked();
  const int64_t status =
      writer_.empty() ? writer_.Send(sink, payload, size) : writer_.Append(payload, size);
  ScheduleLocked();
  return status;
}

int64_t Outbox::Append(const uint8_t* payload, size_t size, size_t copied) {
  const std::lock_guard lock(mutex_);
  CollectLocked();
  const int64_t number = writer_.Append(payload, size, copied);
  ScheduleLocked();
  return number;
}

int64_t Outbox::AppendUnframed(const uint8_t* payload, size_t size) {
  const std::lock_guard lock(mutex_);
  CollectLocked();
  return writer_.AppendUnframed(payload, size);
}

int64_t Outbox::AppendDescriptor(UniqueFd descriptor) {
  const std::lock_guard lock(mutex_);
  CollectLocked();
  return writer_.AppendDescriptor(std::move(descriptor));
}

int64_t Outbox::Withdraw(int64_t number, Borrowed borrowed) {
  const std::lock_guard lock(mutex_);
  CollectLocked();
  return writer_.Withdraw(number, borrowed);
}

int64_t Outbox::Flush(ByteSink& sink, Borrowed borrowed, size_t budget) {
  const std::lock_guard lock(mutex_);
  const int64_t late = std::exchange(completed_late_, 0);
  int64_t status = failure_;
  if (status == 0) status = FlushLocked(sink, borrowed, budget);
  ScheduleLocked();
  if (status >= 0) return late + status;
  return late > 0 ? late : status;
}

int64_t Outbox::FlushLocked(ByteSink& sink, Borrowed borrowed, size_t budget) {
  int64_t completed = 0;
  if (slab_ != nullptr && writer_.empty() && budget > 0) {
    completed = WriteSlabLocked(sink);
    slab_->TakeBack();
    slab_ = nullptr;
    // A short count means that there is no more room.
    if (completed < 0 || !writer_.empty()) return completed;
  }
  CollectLocked();
  const int64_t status = writer_.Flush(sink, borrowed, budget);
  if (status >= 0) return completed + status;
  return completed > 0 ? completed : status;
}

bool Outbox::Clear() noexcept {
  const std::lock_guard lock(mutex_);
  const bool in_message = writer_.in_message();
  if (slab_ != nullptr) slab_->TakeBack();
  slab_ = nullptr;
  writer_.Clear();
  completed_late_ = 0;
  failure_ = 0;
  due_.store(0);
  return in_message;
}

void Outbox::Lend(SendSlab* slab, int32_t id) {
  const std::lock_guard lock(mutex_);
  if (slab != slab_) CollectLocked();
  slab_ = slab;
  slab_->Lend(id);
  ScheduleLocked();
}

bool Outbox::empty() noexcept {
  const std::lock_guard lock(mutex_);
  return writer_.empty() && (slab_ == nullptr || slab_->size() == 0);
}

uint64_t Outbox::pending_bytes() noexcept {
  const std::lock_guard lock(mutex_);
  return writer_.pending_bytes() + (slab_ == nullptr ? 0 : slab_->size());
}

bool Outbox::FlushLate(ByteSink& sink) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) {
    // The environment's thread is here at this moment, so it can write by itself.
    Postpone();
    return true;
  }
  if (due_.load() == 0) return true;
  // Before the look at what the slab contains: a message that is not seen finds the mark.
  if (slab_ != nullptr) slab_->MarkLate();
  int64_t status = failure_;
  if (status == 0 && !writer_.empty()) status = writer_.Flush(sink, {}, kLateBytes);
  if (status > 0) completed_late_ += status;
  if (status >= 0 && writer_.empty() && slab_ != nullptr) {
    status = WriteSlabLocked(sink);
    if (status > 0) completed_late_ += status;
  }
  if (sys::IsShortage(status)) {
    Postpone();
    return true;
  }
  if (status < 0 && status != -EAGAIN) failure_ = status;
  const bool done = writer_.empty() && (slab_ == nullptr || slab_->size() == 0);
  if (failure_ == 0 && !done && !writer_.needs_borrowed()) return false;
  due_.store(0);
  return true;
}

bool Outbox::Abandon(ByteSink& sink) {
  const std::lock_guard lock(mutex_);
  if (failure_ == 0 && (slab_ != nullptr || !writer_.empty())) {
    CollectLocked();
    const int64_t status = writer_.Flush(sink, {}, SIZE_MAX);
    if (status < 0 && status != -EAGAIN && !sys::IsShortage(status)) failure_ = status;
  }
  if (slab_ != nullptr) slab_->TakeBack();
  slab_ = nullptr;
  writer_.ClearBorrowed();
  const bool left = accepts_ && failure_ == 0 && !writer_.empty();
  due_.store(left ? 1 : 0);
  return left;
}

}  // namespace mp
