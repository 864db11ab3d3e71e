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

// What a queue consists of. Slots, unfinished and the ends of the state pipe are null for queues
// that do not have them.
struct QueueResources {
  std::shared_ptr<Endpoint> reader;
  std::shared_ptr<Endpoint> writer;
  std::shared_ptr<TrackedSemaphore> rlock;
  std::shared_ptr<TrackedSemaphore> wlock;
  std::shared_ptr<TrackedSemaphore> slots;
  std::shared_ptr<TrackedSemaphore> unfinished;
  StatePipe state_pipe;
  uint32_t slots_number = 0;
  int64_t max_slots = 0;
};

// The queues that one JavaScript environment has open, by small integers. Used on the environment's
// own thread.
class EnvironmentQueues {
 public:
  struct OpenQueue {
    std::unique_ptr<QueueReader> reader;  // Null once closed.
    std::unique_ptr<QueueWriter> writer;
    std::shared_ptr<QueueState> state;  // Null once closed.
    // Kept when the queue is closed: its size can still be asked for.
    std::shared_ptr<NamedSemaphore> slots;
  };

  ~EnvironmentQueues() { CloseAll(); }

  // `make` for a queue that has just been created, which no other process knows.
  int32_t Add(const QueueResources& resources, bool make);
  OpenQueue* Find(int32_t id) noexcept { return all_.Find(id); }
  // Ends getting. Items that were put are still written.
  void Close(int32_t id);
  // The id is no longer used. Implies Close().
  void Release(int32_t id);

  // Finishes messages of which a part was read, as far as they come before the deadline, since no
  // other member could read on.
  void Finish(const Deadline& deadline);

  // For the end of the environment.
  void CloseAll();

 private:
  static void Close(OpenQueue& open);

  IdTable<OpenQueue> all_;
};

}  // namespace mp
