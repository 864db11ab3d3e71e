// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "queue/feeder.h"
#include "queue/queue_reader.h"
#include "queue/queue_state.h"
#include "queue/queue_writer.h"
#include "recovery/queue_accounts.h"
#include "recovery/stream_record.h"
#include "semaphores/family.h"
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
  // That of the locks; null for a queue that Python made.
  std::shared_ptr<Family> family;
  uint32_t slots_number = 0;
  uint32_t unfinished_number = 0;
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
    std::shared_ptr<StreamRecord> record;
    std::shared_ptr<TrackedSemaphore> unfinished;  // Null if the queue does not count them.
    std::shared_ptr<TrackedSemaphore> in_hand;     // The same, for what was got here.
    std::shared_ptr<QueueAccounts> accounts;       // Null once closed.
    // Kept when the queue is closed: its size can still be asked for.
    std::shared_ptr<NamedSemaphore> slots;
  };

  ~EnvironmentQueues() { CloseAll(); }

  // `make` for a queue that has just been created, which no other process knows. -errno if its
  // stream record cannot be made, or opened.
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
  static int OpenRecord(const QueueResources& resources, bool make,
                        std::shared_ptr<StreamRecord>* out);

  IdTable<OpenQueue> all_;
};

}  // namespace mp
