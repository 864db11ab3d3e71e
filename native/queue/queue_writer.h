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

// Puts items on a queue, as one environment does it: takes a place, counts the item as unfinished,
// and hands it to the feeder.
class QueueWriter {
 public:
  QueueWriter(std::shared_ptr<Feeder> feeder, std::shared_ptr<TrackedSemaphore> places,
              std::shared_ptr<TrackedSemaphore> unfinished,
              std::shared_ptr<QueueState> state) noexcept
      : feeder_(std::move(feeder)),
        places_(std::move(places)),
        unfinished_(std::move(unfinished)),
        state_(std::move(state)) {}

  // How many bytes wait now, 0 if all was written. -EAGAIN when there is no place; `has_place` says
  // that one was taken before. kShutDown, kQueueBroken or another failure: nothing was counted.
  int64_t Put(const QueueItem& item, bool has_place);

  // Nothing is put any more; what was put is still written.
  void Close();

  const std::shared_ptr<Feeder>& feeder() const noexcept { return feeder_; }

 private:
  int Take(bool has_place) noexcept;

  std::shared_ptr<Feeder> feeder_;
  std::shared_ptr<TrackedSemaphore> places_;
  std::shared_ptr<TrackedSemaphore> unfinished_;
  std::shared_ptr<QueueState> state_;
};

}  // namespace mp
