// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "queue/feeder.h"
#include "queue/queue_message.h"
#include "queue/queue_state.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

// Puts items on a queue on behalf of one environment: takes a slot, counts the item as unfinished,
// and gives it to the feeder.
class QueueWriter {
 public:
  QueueWriter(std::shared_ptr<Feeder> feeder, std::shared_ptr<TrackedSemaphore> slots,
              std::shared_ptr<TrackedSemaphore> accepted, bool is_joinable,
              std::shared_ptr<QueueState> state) noexcept
      : feeder_(std::move(feeder)),
        slots_(std::move(slots)),
        accepted_(std::move(accepted)),
        is_joinable_(is_joinable),
        state_(std::move(state)) {}

  // Returns how many bytes wait now: 0 if all was written. -EAGAIN when there is no free slot;
  // `has_slot` says that the caller has taken one before. After kShutDown, kQueueBroken or another
  // failure nothing is counted. With `gather`, a small item waits for others: see Feeder::Put().
  int64_t Put(const QueueItem& item, bool has_slot, bool gather = false);

  // Nothing is put any more. Items that were put are still written.
  void Close();

  const std::shared_ptr<Feeder>& feeder() const noexcept { return feeder_; }

 private:
  int Count(bool has_slot) noexcept;

  std::shared_ptr<Feeder> feeder_;
  std::shared_ptr<TrackedSemaphore> slots_;
  // Counts the items that are not in the pipe yet. Of a JoinableQueue it is the semaphore of
  // unfinished items.
  std::shared_ptr<TrackedSemaphore> accepted_;
  const bool is_joinable_;
  std::shared_ptr<QueueState> state_;
};

}  // namespace mp
