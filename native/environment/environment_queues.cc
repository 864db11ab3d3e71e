// SPDX-License-Identifier: MIT
#include "environment/environment_queues.h"

#include <utility>

namespace mp {

namespace {

// A record can count so many slots of one process. With more slots none is recorded.
constexpr int64_t kMaxCountedSlots = 4095;

}  // namespace

int32_t EnvironmentQueues::Add(const QueueResources& resources, bool make) {
  resources.rlock->UseAsQueueLock();
  resources.wlock->UseAsQueueLock();
  const std::shared_ptr<HolderTable>& table = resources.rlock->table();
  if (resources.slots && table && resources.max_slots <= kMaxCountedSlots) {
    resources.slots->Track(table, resources.slots_number, TrackedSemaphore::Role::kSlots);
  }
  OpenQueue open;
  open.state =
      std::make_shared<QueueState>(table, resources.rlock->number(), make, resources.state_pipe);
  open.reader = std::make_unique<QueueReader>(ReaderResources{resources.reader, resources.rlock,
                                                              resources.wlock, resources.slots,
                                                              resources.max_slots, open.state});
  auto feeder =
      std::make_shared<Feeder>(FeederResources{resources.reader, resources.writer, resources.rlock,
                                               resources.wlock, resources.slots, open.state});
  open.writer = std::make_unique<QueueWriter>(std::move(feeder), resources.slots,
                                              resources.unfinished, open.state);
  if (resources.slots) open.slots = resources.slots->shared();
  return all_.Add(std::move(open));
}

void EnvironmentQueues::Close(OpenQueue& open) {
  open.reader.reset();
  open.writer->Close();
  open.state.reset();
}

void EnvironmentQueues::Close(int32_t id) {
  OpenQueue* open = all_.Find(id);
  if (open != nullptr) Close(*open);
}

void EnvironmentQueues::Release(int32_t id) {
  OpenQueue* open = all_.Find(id);
  if (open == nullptr) return;
  Close(*open);
  all_.Remove(id);
}

void EnvironmentQueues::Finish(const Deadline& deadline) {
  all_.ForEach([&](const OpenQueue& open) {
    if (open.reader) open.reader->Finish(deadline);
  });
}

void EnvironmentQueues::CloseAll() {
  all_.ForEach([](OpenQueue& open) { Close(open); });
  all_.Clear();
}

}  // namespace mp
