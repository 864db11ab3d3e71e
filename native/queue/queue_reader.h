// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "io/endpoint.h"
#include "os/sys.h"
#include "queue/queue_state.h"
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
};

// Reads items from a queue's pipe on behalf of one environment. `rlock` is taken only when there is
// something to read, held until a whole message was read, and released before the message is looked
// at. So the reader keeps the lock while a part of a message is missing, also after the call that
// asked for it has given up.
class QueueReader {
 public:
  explicit QueueReader(ReaderResources resources) noexcept : resources_(std::move(resources)) {}
  // A message of which a part was read is finished in the background, since no other member could
  // read on.
  ~QueueReader();
  QueueReader(const QueueReader&) = delete;
  QueueReader& operator=(const QueueReader&) = delete;

  // Returns the length of one whole message, copied to `out` (FrameReader::kSmallBytes), or
  // kLargeMessage, which GetLarge() continues. -EAGAIN when there is nothing now, -EBUSY when there
  // is something but another member has the lock, kShutDown, kQueueBroken, or a failure. With
  // `expected` the lock is taken without a check of the pipe.
  int64_t Get(uint8_t* out, bool expected);
  // As FrameReader::ReadLarge.
  int64_t GetLarge(uint8_t* into, size_t size, size_t budget);
  int64_t length() const noexcept { return resources_.reader->reader().length(); }

  // The caller has acquired the lock for this reader.
  void AdoptLock() noexcept { holds_lock_ = true; }
  // Whether a part of a message was read.
  bool in_message() const noexcept {
    return holds_lock_ && resources_.reader->reader().in_message();
  }

  // For the end of the process: reads a message of which a part was read to its end, since no other
  // member could read on.
  void Finish(const Deadline& deadline) noexcept {
    if (in_message()) SkipRest(deadline);
  }

  int fd() const noexcept { return resources_.reader->fd(); }

  // For a waiting caller: recovers from the death of other members. 0 or kQueueBroken.
  int Check() noexcept;

 private:
  int64_t Read(uint8_t* out);
  int64_t FinishRead(int64_t result) noexcept;
  void ReleaseLock() noexcept;
  void SkipRest(const Deadline& deadline) noexcept;

  ReaderResources resources_;
  bool holds_lock_ = false;
  bool expects_more_ = false;  // The last attempt has found an item.
  int undecided_ = 0;          // How often in succession RecoverLock() could not decide.
};

}  // namespace mp
