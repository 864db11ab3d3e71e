// SPDX-License-Identifier: MIT
#include "environment/environment_queues.h"

#include <utility>

namespace mp {

namespace {

// As many places of one process as a record can count; of longer queues none is recorded.
constexpr int64_t kMostCounted = 4095;

}  // namespace

int32_t EnvironmentQueues::Add(const QueueParts& parts, bool make) {
  parts.rlock->UseForTransfer();
  parts.wlock->UseForTransfer();
  const std::shared_ptr<HolderTable>& table = parts.rlock->table();
  if (parts.places && table && parts.most_places <= kMostCounted) {
    parts.places->Track(table, parts.places_number, TrackedSemaphore::Role::kPlaces);
  }
  Open open;
  open.state = std::make_shared<QueueState>(table, parts.rlock->number(), make, parts.level);
  open.reader = std::make_unique<QueueReader>(QueueReader::Parts{
      parts.reader, parts.rlock, parts.wlock, parts.places, parts.most_places, open.state});
  auto feeder = std::make_shared<Feeder>(Feeder::Parts{parts.reader, parts.writer, parts.rlock,
                                                       parts.wlock, parts.places, open.state});
  open.writer =
      std::make_unique<QueueWriter>(std::move(feeder), parts.places, parts.unfinished, open.state);
  if (parts.places) open.places = parts.places->shared();
  return all_.Add(std::move(open));
}

void EnvironmentQueues::Close(Open& open) {
  open.reader.reset();
  open.writer->Close();
  open.state.reset();
}

void EnvironmentQueues::Close(int32_t id) {
  Open* open = all_.Find(id);
  if (open != nullptr) Close(*open);
}

void EnvironmentQueues::Release(int32_t id) {
  Open* open = all_.Find(id);
  if (open == nullptr) return;
  Close(*open);
  all_.Remove(id);
}

void EnvironmentQueues::Finish(const Deadline& deadline) {
  all_.ForEach([&](const Open& open) {
    if (open.reader) open.reader->Finish(deadline);
  });
}

void EnvironmentQueues::CloseAll() {
  all_.ForEach([](Open& open) { Close(open); });
  all_.Clear();
}

}  // namespace mp
