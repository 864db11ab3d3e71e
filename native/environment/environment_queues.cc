// SPDX-License-Identifier: MIT
#include "environment/environment_queues.h"

#include <cerrno>
#include <limits>
#include <utility>

namespace mp {

namespace {

// How many slots a queue has that has no limit: SEM_VALUE_MAX.
constexpr int64_t kUnlimited = std::numeric_limits<int32_t>::max();

}  // namespace

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
  // Without a limit, no slot is missed.
  const bool limited = resources.slots && resources.max_slots < kUnlimited;
  if (limited && table) {
    const int tracked =
        resources.slots->Track(table, resources.slots_number, TrackedSemaphore::Role::kSlots);
    if (tracked < 0) return tracked;
  }
  const bool is_joinable = resources.unfinished != nullptr;
  // A semaphore is counted by in one object and one record. Nothing posts that of `wlock` here.
  const TrackedSemaphore& counted = is_joinable ? *resources.unfinished : *resources.wlock;
  auto accepted = std::make_shared<TrackedSemaphore>(counted.shared());
  if (open.record) {
    resources.rlock->set_on_expose([record = open.record] { record->GiveUp(); });
    const StreamResources stream{open.record,     resources.rlock,
                                 resources.wlock, resources.unfinished,
                                 is_joinable,     limited ? resources.slots->number() : 0};
    open.accounts = std::make_shared<QueueAccounts>(
        stream, limited ? resources.slots.get() : nullptr, resources.max_slots, resources.writer);
    int tracked = accepted->Track(table, StreamResources::AcceptedNumber(resources.wlock->number()),
                                  TrackedSemaphore::Role::kSlots);
    if (tracked == 0 && is_joinable) {
      const uint32_t number = resources.unfinished_number;
      open.in_hand = std::make_shared<TrackedSemaphore>(resources.unfinished->shared());
      tracked = open.in_hand->Track(table, number, TrackedSemaphore::Role::kSlots);
      open.accounts->set_unfinished_number(number);
    }
    if (tracked < 0) return tracked;
    if (limited) resources.slots->set_slot_check([check = open.accounts] { check->Check(); });
  }
  open.state =
      std::make_shared<QueueState>(table, resources.rlock->number(), make, resources.state_pipe);
  open.reader = std::make_unique<QueueReader>(ReaderResources{
      resources.reader, resources.rlock, resources.wlock, resources.slots, resources.max_slots,
      open.state, open.record, resources.unfinished, open.in_hand});
  auto feeder = std::make_shared<Feeder>(
      PipeResources{resources.reader, resources.writer, resources.rlock, resources.wlock,
                    resources.slots, open.state, open.record, accepted, is_joinable});
  open.writer = std::make_unique<QueueWriter>(std::move(feeder), resources.slots,
                                              std::move(accepted), is_joinable, open.state);
  if (resources.slots) open.slots = resources.slots->shared();
  open.unfinished = resources.unfinished;
  return all_.Add(std::move(open));
}

void EnvironmentQueues::Close(OpenQueue& open) {
  open.reader.reset();
  open.writer->Close();
  open.state.reset();
  open.accounts.reset();
  open.unfinished.reset();
  // Another member may still finish what was got here.
  if (open.in_hand) open.in_hand->Leave();
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
