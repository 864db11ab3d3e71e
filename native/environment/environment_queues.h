// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "queue/feeder.h"
#include "queue/queue_reader.h"
#include "queue/queue_state.h"
#include "queue/queue_writer.h"
#include "util/id_table.h"

namespace mp {

// What a queue consists of. The last three are missing where they have no meaning.
struct QueueParts {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;
  std::shared_ptr<TrackedSemaphore> rlock;
  std::shared_ptr<TrackedSemaphore> wlock;
  std::shared_ptr<TrackedSemaphore> places;
  std::shared_ptr<TrackedSemaphore> unfinished;
  QueueState::Level level;
  uint32_t places_number = 0;
  int64_t most_places = 0;
};

// The queues that one JavaScript environment has open, by small integers. Used on the environment's
// own thread.
class EnvironmentQueues {
 public:
  struct Open {
    std::unique_ptr<QueueReader> reader;  // Null once closed.
    std::unique_ptr<QueueWriter> writer;
    std::shared_ptr<QueueState> state;  // Null once closed.
    // Also of a closed queue it can be asked how many items are on it.
    std::shared_ptr<NamedSemaphore> places;
  };

  ~EnvironmentQueues() { CloseAll(); }

  // `make` for a queue that has just been made, of which nobody else knows.
  int32_t Add(const QueueParts& parts, bool make);
  Open* Find(int32_t id) noexcept { return all_.Find(id); }
  // Ends getting. What was put is still written.
  void Close(int32_t id);
  // The id is no longer used. Implies Close().
  void Release(int32_t id);

  // Reads to its end what is half read, as far as it comes before the deadline, since others could
  // not go on.
  void Finish(const Deadline& deadline);

  // For the end of the environment.
  void CloseAll();

 private:
  static void Close(Open& open);

  IdTable<Open> all_;
};

}  // namespace mp
