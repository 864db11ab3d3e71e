// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "io/endpoint.h"
#include "os/sys.h"
#include "queue/queue_state.h"
#include "recovery/stream_record.h"
#include "recovery/stream_repair.h"
#include "semaphores/tracked_semaphore.h"
#include "util/deadline.h"

namespace mp {

struct ReaderResources {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<TrackedSemaphore> rlock;
  // Only checked, unless its holder has died.
  std::shared_ptr<TrackedSemaphore> wlock;
  // One slot is returned per item. Null if the queue has none.
  std::shared_ptr<TrackedSemaphore> slots;
  int64_t max_slots = 0;
  std::shared_ptr<QueueState> state;
  // Null if it is not kept.
  std::shared_ptr<StreamRecord> record;
  // One is finished when an item is dropped. Null if the queue does not count.
  std::shared_ptr<TrackedSemaphore> unfinished;
  // Counts what was got and not finished. Null if nothing counts that.
  std::shared_ptr<TrackedSemaphore> in_hand;
};

// Reads items from a queue's pipe on behalf of one environment. `rlock` is taken only when there is
// something to read, held until a whole message was read, and released before the message is looked
// at. So the reader keeps the lock while a part of a message is missing, also after the call that
// asked for it has given up.
class QueueReader {
 public:
  explicit QueueReader(ReaderResources resources) noexcept;
  // A message of which a part was read is left to the next reader, or, without a record, finished
  // in the background, since no other member could read on.
  ~QueueReader();
  QueueReader(const QueueReader&) = delete;
  QueueReader& operator=(const QueueReader&) = delete;

  // Returns the length of one whole message, copied to `out` (FrameReader::kSmallBytes), or
  // kLargeMessage, which GetLarge() continues. kTooLong for one that is longer than messages may
  // be, and was skipped. -EAGAIN when there is nothing now, -EBUSY when there
  // is something but another member has the lock, kShutDown, kQueueBroken, or a failure. With
  // `expected` the lock is taken without a check of the pipe.
  int64_t Get(uint8_t* out, bool expected);
  // As Get(), for as many small items as are there, at most `most` of them, and never so many that
  // a part of one is left to be read: puts them into `out`, which has room for `size` bytes
  // (FrameReader::kFrameBytes or more), one behind the other, each behind a header of 4 bytes.
  // Returns how many bytes they take together. They are read in one call with the lock held once.
  // It is one item if the queue has members that keep no record: then only the header of an item
  // tells where it ends.
  int64_t GetMany(uint8_t* out, size_t size, uint64_t most, bool expected);
  // As FrameReader::ReadLarge. kItemLost, also by Get(), if the rest of the message will not come:
  // the next call is for another one.
  int64_t GetLarge(uint8_t* into, size_t size, size_t budget);
  int64_t length() const noexcept { return resources_.reader->reader().length(); }

  // The caller has acquired the lock for this reader.
  void AdoptLock() noexcept { holds_lock_ = true; }
  // Whether a part of a message was read, by this reader or by one that has died.
  bool in_message() const noexcept { return holds_lock_ && (frames().in_message() || dropping_); }

  // For the end of the process: leaves a message of which a part was read in such a way that other
  // members can read on.
  void Finish(const Deadline& deadline) noexcept;

  int fd() const noexcept { return resources_.reader->fd(); }

  // For a waiting caller: recovers from the death of other members. 0 or kQueueBroken.
  int Check() noexcept;

 private:
  FrameReader& frames() const noexcept { return resources_.reader->reader(); }
  ByteSource& source() noexcept {
    return recorded_ ? static_cast<ByteSource&>(*recorded_) : resources_.reader->source();
  }
  int Prepare() noexcept;
  template <typename Reading>
  int64_t Attempt(bool expected, Reading reading);
  int64_t Read(uint8_t* out);
  int64_t ReadMany(uint8_t* out, size_t size, uint64_t most);
  bool AreFrames(const uint8_t* bytes, uint64_t items) const noexcept;
  int64_t ReadFrame(uint8_t* out);
  int64_t ReadRecorded(uint8_t* out);
  int64_t Drop() noexcept;
  int64_t FinishRead(int64_t result) noexcept;
  void FinishItems(bool dropped, uint64_t items = 1) noexcept;
  void LeavePipe(bool dropped, uint64_t items = 1) noexcept;
  void ReleaseLock() noexcept;
  void LeaveItem() noexcept;
  void SkipRest(const Deadline& deadline) noexcept;
  void GiveUpRest() noexcept;

  ReaderResources resources_;
  StreamResources stream_;
  // While the record is kept, and a message is read by it.
  std::optional<RecordedSource> recorded_;
  bool holds_lock_ = false;
  bool prepared_ = false;      // Since it took the lock.
  bool dropping_ = false;      // The rest of the item is read and dropped.
  bool expects_more_ = false;  // The last attempt has found an item.
  int undecided_ = 0;          // How often in succession RecoverLock() could not decide.
};

}  // namespace mp
