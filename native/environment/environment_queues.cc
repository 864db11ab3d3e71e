// SPDX-License-Identifier: MIT
#include "environment/environment_queues.h"

#include <cerrno>
#include <utility>

namespace mp {

// The number of the queue's `rlock` names its record.
int EnvironmentQueues::OpenRecord(const QueueResources& resources, bool make,
                                  std::shared_ptr<StreamRecord>* out) {
  if (!resources.family || !resources.rlock->table()) return 0;
  const uint32_t number = resources.rlock->number();
  std::shared_ptr<FamilyBlock> block;
  const int status = resources.family->OpenBlock(StreamRecord::kBlockKind, number,
                                                 sizeof(StreamLayout), make, &block);
  if (status < 0) return status;
  void* memory = block->address();
  *out = StreamRecord::Over(std::shared_ptr<void>(std::move(block), memory), make);
  return *out ? 0 : -EIO;
}

int32_t EnvironmentQueues::Add(const QueueResources& resources, bool make) {
  OpenQueue open;
  const int opened = OpenRecord(resources, make, &open.record);
  if (opened < 0) return opened;
  resources.rlock->UseAsQueueLock();
  resources.wlock->UseAsQueueLock();
  const std::shared_ptr<HolderTable>& table = resources.rlock->table();
  if (resources.slots && table) {
    const int tracked =
        resources.slots->Track(table, resources.slots_number, TrackedSemaphore::Role::kSlots);
    if (tracked < 0) return tracked;
  }
  // The same semaphore as the writer counts by it: with a record of what is not in the pipe yet.
  std::shared_ptr<TrackedSemaphore> accepted;
  if (resources.unfinished)
    accepted = std::make_shared<TrackedSemaphore>(resources.unfinished->shared());
  if (open.record) {
    resources.rlock->set_on_expose([record = open.record] { record->GiveUp(); });
    const StreamResources stream{open.record, resources.rlock, resources.wlock,
                                 resources.unfinished, resources.slots != nullptr};
    if (resources.slots) {
      open.slot_check = std::make_shared<QueueSlots>(stream, *resources.slots, resources.max_slots,
                                                     resources.writer);
      if (resources.unfinished) {
        open.in_hand = std::make_shared<TrackedSemaphore>(resources.unfinished->shared());
        const uint32_t number = resources.unfinished_number;
        int tracked = open.in_hand->Track(table, number, TrackedSemaphore::Role::kSlots);
        if (tracked == 0)
          tracked = accepted->Track(table, QueueSlots::AcceptedNumber(number),
                                    TrackedSemaphore::Role::kSlots);
        if (tracked < 0) return tracked;
        open.slot_check->set_unfinished_number(number);
      }
      resources.slots->set_slot_check([check = open.slot_check] { check->Check(); });
    }
  }
  open.state =
      std::make_shared<QueueState>(table, resources.rlock->number(), make, resources.state_pipe);
  open.reader = std::make_unique<QueueReader>(ReaderResources{
      resources.reader, resources.rlock, resources.wlock, resources.slots, resources.max_slots,
      open.state, open.record, resources.unfinished, open.in_hand});
  auto feeder = std::make_shared<Feeder>(
      FeederResources{resources.reader, resources.writer, resources.rlock, resources.wlock,
                      resources.slots, open.state, open.record, accepted});
  open.writer = std::make_unique<QueueWriter>(std::move(feeder), resources.slots,
                                              std::move(accepted), open.state);
  if (resources.slots) open.slots = resources.slots->shared();
  open.unfinished = resources.unfinished;
  return all_.Add(std::move(open));
}

void EnvironmentQueues::Close(OpenQueue& open) {
  open.reader.reset();
  open.writer->Close();
  open.state.reset();
  open.slot_check.reset();
  open.unfinished.reset();
  // Another member may still finish what was got here.
  if (open.in_hand && open.record)
    open.record->layout().in_other_hands.fetch_add(open.in_hand->slots());
  open.in_hand.reset();
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
