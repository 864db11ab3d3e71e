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

// Takes items out of a queue's pipe, as one environment does it. `rlock` is taken only when there
// is something to read, held until a whole message was read, and given back before anybody looks at
// the message. So while a message is on its way the lock stays here, whoever has asked for it.
class QueueReader {
 public:
  struct Parts {
    std::shared_ptr<Endpoint> reader;
    std::shared_ptr<TrackedSemaphore> rlock;
    std::shared_ptr<TrackedSemaphore> wlock;  // Looked at only, unless its holder has died.
    std::shared_ptr<TrackedSemaphore>
        places;  // One is given back per item; null if there are none.
    int64_t most_places = 0;
    std::shared_ptr<QueueState> state;
  };

  explicit QueueReader(Parts parts) noexcept : parts_(std::move(parts)) {}
  // A message of which a part was read is finished in the background, for the others' sake.
  ~QueueReader();
  QueueReader(const QueueReader&) = delete;
  QueueReader& operator=(const QueueReader&) = delete;

  // The length of one whole message, copied to `out` (FrameReader::kSmallBytes), or kLargeMessage,
  // which GetLarge() continues. -EAGAIN when there is nothing now, -EBUSY when there is but
  // somebody else has the lock, kShutDown, kQueueBroken, or a failure. With `expected` it is tried
  // without looking first.
  int64_t Get(uint8_t* out, bool expected);
  // As FrameReader::ReadLarge.
  int64_t GetLarge(uint8_t* into, size_t size, size_t budget);
  int64_t length() const noexcept { return parts_.reader->reader().length(); }

  // The lock was taken for this reader.
  void Adopt() noexcept { holds_ = true; }
  // Whether a part of a message was read.
  bool inside() const noexcept { return holds_ && parts_.reader->reader().in_message(); }

  // For the end of the process: reads to its end what is half read, for the others' sake.
  void Finish(const Deadline& deadline) noexcept {
    if (inside()) SkipRest(deadline);
  }

  // What is in the pipe; -errno.
  int64_t BytesReadable() const noexcept { return sys::BytesReadable(parts_.reader->fd()); }

  // What those who wait do about members that have died: 0, or kQueueBroken.
  int Check() noexcept;

 private:
  void GiveBack() noexcept;
  int64_t End(int64_t result) noexcept;
  void SkipRest(const Deadline& deadline) noexcept;

  Parts parts_;
  bool holds_ = false;
  bool likely_ = false;  // The last attempt has found an item.
  int looks_ = 0;
};

}  // namespace mp
