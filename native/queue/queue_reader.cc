// SPDX-License-Identifier: MIT
#include "queue/queue_reader.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "os/thread.h"
#include "recovery/queue_recovery.h"
#include "util/status.h"
#include "util/steps.h"

namespace mp {

namespace {

// How long a reader that is closed inside a message waits for the rest if there is no thread that
// could do so.
constexpr double kPatienceWithoutThreadMs = 1000;

// How much of an item that is too long is skipped at a time.
constexpr size_t kSkipBytes = 1024 * 1024;

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

QueueReader::QueueReader(ReaderResources resources) noexcept
    : resources_(std::move(resources)),
      stream_{resources_.record,
              resources_.rlock,
              resources_.wlock,
              resources_.unfinished,
              resources_.unfinished != nullptr,
              resources_.slots ? resources_.slots->number() : 0} {
  // The other members need what follows.
  frames().SkipTooLong();
}

int64_t QueueReader::Get(uint8_t* out, bool expected) {
  return Attempt(expected, [&] { return Read(out); });
}

int64_t QueueReader::GetMany(uint8_t* out, size_t size, uint64_t most, bool expected) {
  return Attempt(expected, [&] { return ReadMany(out, size, most); });
}

// Takes the lock if there is something to read, and reads.
template <typename Reading>
int64_t QueueReader::Attempt(bool expected, Reading reading) {
  const uint32_t flags = resources_.state->Flags();
  const int end = EndOf(flags);
  // A message whose rest no member will write keeps the lock.
  if (in_message()) return end < 0 ? end : reading();
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
  if (!prepared_) {
    const int status = Prepare();
    if (status < 0) return status;
  }
  const int64_t result = reading();
  return result == -EAGAIN && !holds_lock_ ? nothing : result;
}

// To be called with the lock before the first read: finds out where in the stream the reader is.
int QueueReader::Prepare() noexcept {
  StreamRecord* record = resources_.record.get();
  recorded_.reset();
  if (record != nullptr) {
    const int status = RepairReader(stream_, fd());
    if (status < 0) {
      if (status == kQueueBroken) resources_.state->Add(QueueState::kBroken);
      ReleaseLock();
      return status == -EAGAIN ? -EBUSY : status;
    }
    if (record->is_kept()) recorded_.emplace(*record, resources_.reader->source(), fd());
  }
  prepared_ = true;
  dropping_ = recorded_ && record->in_item();
  // The recorded source ends at the end of the item.
  frames().set_read_ahead(recorded_.has_value());
  if (!recorded_) resources_.rlock->MarkMoving();
  return 0;
}

int64_t QueueReader::GetLarge(uint8_t* into, size_t size, size_t budget) {
  const int64_t result = FinishRead(frames().ReadLarge(source(), into, size, budget));
  const bool lost =
      recorded_ && in_message() && resources_.record->is_torn() && resources_.record->at_end();
  if (!lost) return result;
  frames().DropMessage();
  FinishItems(true);
  return kItemLost;
}

int64_t QueueReader::Read(uint8_t* out) {
  return FinishRead(recorded_ ? ReadRecorded(out) : ReadFrame(out));
}

int64_t QueueReader::ReadMany(uint8_t* out, size_t size, uint64_t most) {
  if (recorded_ && !in_message() && !resources_.record->is_torn()) {
    const uint64_t longest = frame::kShortHeaderBytes + frames().longest_small();
    uint64_t items = 0;
    const int64_t bytes = recorded_->ReadItems({out, size}, most, longest, &items);
    if (bytes < 0) return FinishRead(bytes);
    if (items > 0) {
      if (!AreFrames(out, items)) return FinishRead(kQueueBroken);
      FinishItems(false, items);
      expects_more_ = true;
      return bytes;
    }
  }
  const int64_t length = Read(out + frame::kShortHeaderBytes);
  if (length < 0) return length;
  return static_cast<int64_t>(frame::EncodeHeader(static_cast<uint64_t>(length), out)) + length;
}

// Whether the next items are what their headers announce.
bool QueueReader::AreFrames(const uint8_t* bytes, uint64_t items) const noexcept {
  const StreamRecord& record = *resources_.record;
  const uint64_t first = record.layout().tail.load();
  for (uint64_t item = first; item < first + items; item++) {
    const uint64_t size = record.EndOf(item) - record.StartOf(item);
    size_t needed = 0;
    int64_t length = 0;
    const frame::HeaderState state = frame::DecodeHeader(bytes, size, &needed, &length);
    if (state != frame::HeaderState::kComplete || needed != frame::kShortHeaderBytes) return false;
    if (needed + static_cast<uint64_t>(length) != size) return false;
    bytes += size;
  }
  return true;
}

int64_t QueueReader::ReadFrame(uint8_t* out) {
  const int64_t result = frames().ReadSmall(source(), out, UINT64_MAX);
  if (result != kTooLong) return result;
  const int64_t skipped = frames().SkipLarge(source(), kSkipBytes);
  return skipped >= 0 ? int64_t{kTooLong} : skipped;
}

// As FrameReader::ReadSmall. Drops what a member that has died has left of an item.
int64_t QueueReader::ReadRecorded(uint8_t* out) {
  StreamRecord& record = *resources_.record;
  for (;;) {
    if (!frames().in_message() && record.is_torn()) dropping_ = true;
    if (dropping_) {
      const int64_t dropped = Drop();
      if (dropped < 0) return dropped;
    }
    const int64_t result = ReadFrame(out);
    if (result != -EAGAIN || !frames().in_message() || !record.at_end()) return result;
    // Its header announces more than there is.
    if (!record.is_torn()) return kQueueBroken;
    frames().DropMessage();
    dropping_ = true;
  }
}

// Reads the rest of the item, as far as it is there, and goes on to the next item. -EAGAIN when
// more is to come.
int64_t QueueReader::Drop() noexcept {
  StreamRecord& record = *resources_.record;
  uint8_t nowhere[FrameReader::kSmallBytes];
  while (!record.at_end()) {
    const iovec iov{nowhere, sizeof nowhere};
    ArrivedDescriptor none;
    const ssize_t n = source().Read(&iov, 1, &none);
    // The item may end here since its writer has died.
    if (n < 0 && (n != -EAGAIN || !record.at_end())) return n;
  }
  dropping_ = false;
  LeavePipe(true);
  return 0;
}

// To be called after every read: at the boundary of two messages the lock is released.
int64_t QueueReader::FinishRead(int64_t result) noexcept {
  if (in_message()) return result;
  const bool got = result >= 0;
  expects_more_ = got;
  // A failed system call has moved nothing, and says nothing about the bytes in the pipe.
  const bool skipped = result == kTooLong;
  const bool out_of_step = !got && !skipped && !IsErrno(result) && result != kEndOfFile;
  if (out_of_step) {
    // The lock stays taken: no member could make sense of what comes next.
    resources_.state->Add(QueueState::kBroken);
    return result;
  }
  if ((got || skipped) && recorded_ && !resources_.record->at_end()) {
    resources_.state->Add(QueueState::kBroken);
    return kQueueBroken;
  }
  if (got || skipped)
    FinishItems(skipped);
  else
    ReleaseLock();
  return result;
}

void QueueReader::FinishItems(bool dropped, uint64_t items) noexcept {
  LeavePipe(dropped, items);
  ReleaseLock();
}

// The items have left the pipe. Their slots are returned with the lock, so that a process with both
// locks can count the slots.
void QueueReader::LeavePipe(bool dropped, uint64_t items) noexcept {
  StreamRecord* record = recorded_ ? resources_.record.get() : nullptr;
  if (record != nullptr) record->Pass(dropped, items);
  if (!dropped && resources_.in_hand) resources_.in_hand->KeepAgain(static_cast<uint32_t>(items));
  for (uint64_t i = 0; resources_.slots && i < items; i++) {
    Step();
    // More free slots than the queue has are the error of another member. The item is delivered all
    // the same.
    (void)resources_.slots->ReturnSlot(resources_.max_slots);
  }
  Step();
  // They were in the pipe, so they count as unfinished.
  if (dropped) FinishLost(stream_, items);
}

QueueReader::~QueueReader() {
  if (in_message()) LeaveItem();
  if (!in_message()) {
    ReleaseLock();
    return;
  }
  auto* rest = new QueueReader(std::move(resources_));
  rest->holds_lock_ = std::exchange(holds_lock_, false);
  rest->prepared_ = true;
  pthread_t thread{};
  const int started = StartThread(
      &thread, "mp-reader",
      [](void* reader) -> void* {
        static_cast<QueueReader*>(reader)->SkipRest(Deadline());
        static_cast<QueueReader*>(reader)->GiveUpRest();
        delete static_cast<QueueReader*>(reader);
        return nullptr;
      },
      rest);
  if (started == 0) {
    ::pthread_detach(thread);
    return;
  }
  rest->SkipRest(Deadline::After(kPatienceWithoutThreadMs));
  rest->GiveUpRest();
  delete rest;
}

// If the rest has not come, the record of the lock tells the other members that they cannot go on.
void QueueReader::GiveUpRest() noexcept {
  if (in_message()) holds_lock_ = false;
}

// The record tells the next reader that it is inside of an item, which it drops.
void QueueReader::LeaveItem() noexcept {
  if (!recorded_) return;
  frames().DropMessage();
  dropping_ = false;
  ReleaseLock();
}

void QueueReader::Finish(const Deadline& deadline) noexcept {
  if (in_message()) LeaveItem();
  if (in_message()) SkipRest(deadline);
}

void QueueReader::SkipRest(const Deadline& deadline) noexcept {
  std::vector<uint8_t> slab(FrameReader::kSmallBytes);
  while (in_message()) {
    int64_t result = ReadFrame(slab.data());
    if (result == kLargeMessage) result = frames().SkipLarge(source());
    (void)FinishRead(result);
    pollfd more{fd(), POLLIN, 0};
    if (!in_message()) return;
    if (!deadline.never() && deadline.Left().count() == 0) return;
    if (sys::Poll(&more, 1, SliceMs(deadline)) == 0 && Check() < 0) return;
  }
}

void QueueReader::ReleaseLock() noexcept {
  if (!holds_lock_) return;
  holds_lock_ = prepared_ = false;
  resources_.rlock->Release(TrackedSemaphore::kNoLimit);
}

int QueueReader::Check() noexcept {
  int status = 0;
  if (resources_.record && resources_.record->is_kept()) {
    // The next holder of a lock sets right what a dead one has left.
    if (in_message()) {
      status = RepairOtherWriter(stream_, fd());
    } else {
      (void)resources_.rlock->CheckHolder();
    }
  } else if (in_message()) {
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
