// SPDX-License-Identifier: MIT
//
// Queues, as lib/native/addon.ts declares them. The rules are those of endpoint_api.cc.
#include <algorithm>
#include <cerrno>
#include <memory>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "queue/feeders.h"
#include "recovery/queue_recovery.h"
#include "util/status.h"

namespace mp {

namespace {

template <size_t N>
EnvironmentQueues::OpenQueue* Find(const Args<N>& args) {
  return args.addon().queues().Find(args.Int(0));
}

template <size_t N>
std::shared_ptr<Endpoint> EndpointOf(const Args<N>& args, size_t index) {
  const AddonEnv::Pollable* pollable = args.addon().Find(args.Int(index));
  return pollable == nullptr ? nullptr : pollable->endpoint;
}

template <size_t N>
EnvironmentSemaphores::OpenSemaphore* SemaphoreOf(const Args<N>& args, size_t index) {
  return args.addon().semaphores().Find(args.Int(index));
}

// open(reader, writer, rlock, wlock, slots, unfinished, stateReader, stateWriter, maxsize, make)
napi_value Open(napi_env env, napi_callback_info info) {
  const Args<10> args(env, info);
  auto* rlock = SemaphoreOf(args, 2);
  const auto* wlock = SemaphoreOf(args, 3);
  QueueResources resources;
  resources.reader = EndpointOf(args, 0);
  resources.writer = EndpointOf(args, 1);
  if (!resources.reader || !resources.writer || rlock == nullptr || wlock == nullptr) {
    return args.Return(-EBADF);
  }
  resources.rlock = rlock->semaphore;
  resources.family = rlock->family;
  resources.wlock = wlock->semaphore;
  const auto* slots = SemaphoreOf(args, 4);
  if (slots != nullptr) {
    resources.slots = slots->semaphore;
    resources.slots_number = slots->number;
  }
  const auto* unfinished = SemaphoreOf(args, 5);
  if (unfinished != nullptr) {
    resources.unfinished = unfinished->semaphore;
    resources.unfinished_number = unfinished->number;
  }
  resources.state_pipe = {EndpointOf(args, 6), EndpointOf(args, 7)};
  resources.max_slots = static_cast<int64_t>(args.Number(8));
  const int32_t id = args.addon().queues().Add(resources, args.Flag(9));
  // Its creator removes the record together with the name of the lock.
  if (id >= 0 && args.Flag(9)) rlock->is_queue = true;
  return args.Return(id);
}

napi_value Get(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto* open = Find(args);
  const Bytes slab = args.Bytes(1);
  if (open == nullptr || !open->reader) return args.Return(-EBADF);
  if (slab.size < FrameReader::kSmallBytes) return args.Return(-EINVAL);
  return args.Return(open->reader->Get(slab.data, args.Flag(2)));
}

// getMany(id, into, offset, size, most, expected)
napi_value GetMany(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  const auto* open = Find(args);
  const Bytes into = args.Bytes(1);
  const size_t offset = std::min(args.Size(2), into.size);
  const size_t size = std::min(args.Size(3), into.size - offset);
  if (open == nullptr || !open->reader) return args.Return(-EBADF);
  if (size < FrameReader::kFrameBytes) return args.Return(-EINVAL);
  return args.Return(open->reader->GetMany(into.data + offset, size, args.Size(4), args.Flag(5)));
}

napi_value GetLarge(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto* open = Find(args);
  const Bytes into = args.Bytes(1);
  if (open == nullptr || !open->reader) return args.Return(-EBADF);
  return args.Return(open->reader->GetLarge(into.data, into.size, args.Size(2)));
}

napi_value MessageLength(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr || !open->reader ? -EBADF : open->reader->length());
}

napi_value AdoptLock(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr && open->reader) open->reader->AdoptLock();
  return nullptr;
}

napi_value Inside(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open != nullptr && open->reader && open->reader->in_message() ? 1 : 0);
}

napi_value Check(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr || !open->reader ? -EBADF : open->reader->Check());
}

// stats(id): items put, got, lost, repairs, and items in the pipe; or -errno if not all members
// count.
napi_value Stats(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  if (!open->record || !open->record->is_kept()) return args.Return(-ENOTSUP);
  if (open->accounts) open->accounts->Check();
  const StreamLayout& numbers = open->record->layout();
  const uint64_t got = numbers.tail.load() - numbers.dropped.load();
  const uint64_t counts[] = {numbers.head.load(), got, open->record->lost(),
                             open->record->recoveries(), open->record->depth()};
  return args.Array(5, [&](uint32_t i) { return args.Return(static_cast<int64_t>(counts[i])); });
}

// taskDone(id): 0, or -EAGAIN if no item is unfinished.
napi_value TaskDone(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr || !open->unfinished) return args.Return(-EBADF);
  if (!open->in_hand) return args.Return(open->unfinished->TryAcquire());
  StreamLayout& numbers = open->record->layout();
  if (open->in_hand->slots() == 0) numbers.finished_elsewhere.store(1);
  return args.Return(open->in_hand->TakeForSlot(&numbers.in_other_hands));
}

// How many items were lost, as far as that was noticed.
napi_value Lost(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr || !open->record) return args.Return(0);
  return args.Return(static_cast<int64_t>(open->record->lost()));
}

// Looks after what members that have died have left: slots, and items that they have not written.
napi_value CheckAccounts(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr && open->accounts) open->accounts->Check();
  return nullptr;
}

// Memory of no bytes needs an address, too.
const uint8_t* DataOf(const Bytes& bytes) noexcept {
  static const uint8_t kNothing = 0;
  return bytes.data == nullptr ? &kNothing : bytes.data;
}

// put(id, bytes, hasSlot, gather)
napi_value Put(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const auto* open = Find(args);
  const Bytes data = args.Bytes(1);
  if (open == nullptr) return args.Return(-EBADF);
  return args.Return(
      open->writer->Put({nullptr, 0, DataOf(data), data.size}, args.Flag(2), args.Flag(3)));
}

napi_value PutWithPrefix(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const auto* open = Find(args);
  const Bytes data = args.Bytes(1);
  const Bytes prefix = args.Bytes(3);
  if (open == nullptr) return args.Return(-EBADF);
  if (prefix.size > QueueItem::kMaxPrefixBytes) return args.Return(-EINVAL);
  return args.Return(
      open->writer->Put({DataOf(prefix), prefix.size, DataOf(data), data.size}, args.Flag(2)));
}

// Writes what was gathered.
napi_value Flush(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr) open->writer->feeder()->Flush();
  return nullptr;
}

// notifyWhen(id, maxBytes, request)
napi_value NotifyWhen(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const auto* open = Find(args);
  const auto& completions = args.addon().semaphores().completions();
  if (open == nullptr || !completions) return args.Return(-EBADF);
  open->writer->feeder()->NotifyWhen(args.Size(1), completions, args.Int(2));
  return args.Return(0);
}

napi_value Forget(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  const auto& completions = args.addon().semaphores().completions();
  if (open != nullptr && completions) {
    open->writer->feeder()->Forget(completions, args.Int(1));
  }
  return nullptr;
}

napi_value Cancel(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr) open->writer->feeder()->Cancel();
  return nullptr;
}

napi_value FreeSlots(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr || !open->slots) return args.Return(-EBADF);
  if (open->accounts) open->accounts->CheckSeldom();
  return args.Return(open->slots->Value());
}

napi_value Flags(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr || !open->state ? 0 : open->state->Flags());
}

napi_value AddFlags(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr && open->state) open->state->Add(static_cast<uint32_t>(args.Int(1)));
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().queues().Close(args.Int(0));
  return nullptr;
}

napi_value Release(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().queues().Release(args.Int(0));
  return nullptr;
}

// finish(milliseconds)
napi_value Finish(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().queues().Finish(Deadline::After(args.Number(0)));
  return nullptr;
}

// processWaiting(): how many queues, items and bytes, and the name of a lock of one of the queues.
napi_value ProcessWaiting(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Feeders::Load load = Feeders::Waiting();
  const uint64_t numbers[] = {load.queues, load.items, load.bytes};
  return args.Array(4, [&](uint32_t i) {
    return i < 3 ? args.Return(static_cast<int64_t>(numbers[i])) : args.Text(load.name);
  });
}

napi_value NotifyWhenIdle(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto& completions = args.addon().semaphores().completions();
  if (!completions) return args.Return(-EBADF);
  Feeders::NotifyWhenIdle(completions, args.Int(0));
  return args.Return(0);
}

napi_value CutReaders(napi_env, napi_callback_info) {
  Feeders::CutReaders();
  return nullptr;
}

napi_value StopFeeders(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(Feeders::Stop() ? 1 : 0);
}

}  // namespace

void ExportQueueApi(napi_env env, napi_value exports) {
  napi_value queues = ExportObject(env, exports, "queues");
  const NamedFunction functions[] = {
      {"open", Open},
      {"get", Get},
      {"getMany", GetMany},
      {"getLarge", GetLarge},
      {"messageLength", MessageLength},
      {"adoptLock", AdoptLock},
      {"inside", Inside},
      {"check", Check},
      {"stats", Stats},
      {"taskDone", TaskDone},
      {"lost", Lost},
      {"checkAccounts", CheckAccounts},
      {"put", Put},
      {"putWithPrefix", PutWithPrefix},
      {"flush", Flush},
      {"notifyWhen", NotifyWhen},
      {"forget", Forget},
      {"cancel", Cancel},
      {"freeSlots", FreeSlots},
      {"flags", Flags},
      {"addFlags", AddFlags},
      {"close", Close},
      {"release", Release},
      {"finish", Finish},
      {"processWaiting", ProcessWaiting},
      {"notifyWhenIdle", NotifyWhenIdle},
      {"cutReaders", CutReaders},
      {"stopFeeders", StopFeeders},
  };
  ExportFunctions(env, queues, functions);
  const NamedNumber numbers[] = {
      {"isShutDown", QueueState::kIsShutDown},
      {"dropped", QueueState::kDropped},
      {"broken", QueueState::kBroken},
  };
  ExportNumbers(env, queues, numbers);
}

}  // namespace mp
