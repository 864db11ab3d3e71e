// SPDX-License-Identifier: MIT
//
// Semaphores and families, as lib/native/addon.ts declares them. The rules are those of
// endpoint_api.cc.
#include "bindings/semaphore_api.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "environment/blocking.h"
#include "semaphores/semaphore_waiter.h"
#include "util/spinner.h"
#include "util/status.h"

namespace mp {

namespace {

// So long a blocked thread may take to notice that a holder has died.
constexpr std::chrono::milliseconds kHolderCheck{500};
// A wait with an end is interrupted by signals, whatever their handlers say about restarting.
constexpr std::chrono::hours kLongest{1};

template <size_t N>
EnvironmentSemaphores::Open* Find(const Args<N>& args) {
  return args.addon().semaphores().Find(args.Int(0));
}

napi_value Create(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(args.addon().semaphores().Create(static_cast<uint32_t>(args.Size(0))));
}

napi_value Attach(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(
      args.addon().semaphores().Attach(args.String(0), static_cast<uint32_t>(args.Size(1))));
}

napi_value OpenNamed(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  return args.Return(args.addon().semaphores().OpenNamed(args.String(0), args.Flag(1),
                                                         static_cast<uint32_t>(args.Size(2))));
}

napi_value UnlinkNamed(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(NamedSemaphore::Unlink(args.String(0)));
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().semaphores().Close(args.Int(0));
  return nullptr;
}

napi_value Pin(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().semaphores().Pin(args.Int(0));
  return nullptr;
}

napi_value Unpin(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().semaphores().Unpin(args.Int(0));
  return nullptr;
}

// describe(id): name, family ('' without one) and number.
napi_value Describe(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  napi_value out = nullptr;
  napi_create_object(env, &out);
  const auto set = [&](const char* key, const std::string& value) {
    napi_value text = nullptr;
    napi_create_string_utf8(env, value.c_str(), value.size(), &text);
    napi_set_named_property(env, out, key, text);
  };
  set("name", open->semaphore->semaphore().name());
  set("family", open->family ? open->family->name() : "");
  napi_value number = nullptr;
  napi_create_uint32(env, open->number, &number);
  napi_set_named_property(env, out, "number", number);
  return out;
}

// track(id, waits)
napi_value Track(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr || !open->family) return nullptr;
  const auto role =
      args.Flag(1) ? TrackedSemaphore::Role::kWaiter : TrackedSemaphore::Role::kHolder;
  open->semaphore->Track(open->family->table(), open->number, role);
  return nullptr;
}

napi_value Expose(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr) open->semaphore->Expose();
  return nullptr;
}

napi_value TryWait(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? -EBADF : open->semaphore->TryAcquire());
}

// For one who does not wait any longer: also a short wait, repeated, is to notice that a holder
// died.
int TryLast(TrackedSemaphore& semaphore) {
  const int holder = semaphore.CheckHolder();
  if (holder < 0) return holder;
  const int status = semaphore.TryAcquire();
  return status == -EAGAIN ? -ETIMEDOUT : status;
}

// Sleeps in slices: a worker has to ask whether it is being ended, and everybody whether the holder
// is still there.
int Block(AddonEnv& addon, TrackedSemaphore& semaphore, const Deadline& deadline) {
  for (;;) {
    const int status = semaphore.TryAcquire();
    if (status != -EAGAIN) return status;
    std::chrono::nanoseconds slice = kLongest;
    if (semaphore.has_checks()) slice = kHolderCheck;
    if (!addon.is_main_thread()) slice = std::min<std::chrono::nanoseconds>(slice, kWorkerSlice);
    if (!deadline.never()) slice = std::min(slice, deadline.Left());
    const int slept = semaphore.semaphore().Wait(slice);
    if (slept == 0) {
      semaphore.MarkHeld();
      return 0;
    }
    if (slept != -ETIMEDOUT) return slept;
    if (!addon.is_main_thread() && (addon.IsCanceled() || addon.IsTerminating())) return -ECANCELED;
    if (!deadline.never() && deadline.Left().count() == 0) return TryLast(semaphore);
    const int holder = semaphore.CheckHolder();
    if (holder < 0) return holder;
  }
}

// spin(id, ns): tries again and again for so long, or less if that has not paid off: the holder may
// be a task of this very thread, for which no time is long enough. Handing a wait to another
// thread, and its outcome back, costs several times what a lock is mostly held for.
napi_value Spin(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  Spinner spinner(static_cast<int64_t>(args.Number(1)), &open->spin_history);
  const int64_t status =
      spinner.Spin(Deadline(), [&]() -> int64_t { return open->semaphore->TryAcquire(); });
  if (status == -EAGAIN) spinner.Failed();
  return args.Return(status);
}

napi_value WaitSync(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  const std::shared_ptr<TrackedSemaphore> semaphore = open->semaphore;
  return args.Return(Block(args.addon(), *semaphore, Deadline::After(args.Number(1))));
}

napi_value TryWaitLast(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? -EBADF : TryLast(*open->semaphore));
}

napi_value Wait(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(args.addon().semaphores().StartWaiting(args.Int(0), args.Int(1)));
}

napi_value CancelWait(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().semaphores().CancelWaiting(args.Int(0));
  return nullptr;
}

// The id of the descriptor that is readable while there are completions.
napi_value Completions(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  AddonEnv& addon = args.addon();
  const int status = addon.semaphores().OpenCompletions();
  if (status < 0) return args.Return(status);
  const int copy = sys::Duplicate(addon.semaphores().completions()->fd());
  return args.Return(copy < 0 ? copy : addon.AddWatched(UniqueFd(copy)));
}

// takeCompletions(pairs): (request, status) into an Int32Array; how many.
napi_value TakeCompletions(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Bytes bytes = args.Bytes(0);
  const auto& queue = args.addon().semaphores().completions();
  if (queue == nullptr) return args.Return(0);
  auto* pairs = reinterpret_cast<int32_t*>(bytes.data);
  const auto taken = queue->Take(bytes.size / (2 * sizeof(int32_t)));
  for (size_t i = 0; i < taken.size(); i++) {
    pairs[2 * i] = taken[i].request;
    pairs[2 * i + 1] = taken[i].status;
  }
  return args.Return(static_cast<int64_t>(taken.size()));
}

napi_value Post(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  return args.Return(open->semaphore->Release(static_cast<int64_t>(args.Number(1))));
}

napi_value Value(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? -EBADF : open->semaphore->semaphore().Value());
}

napi_value DeadHolder(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->DeadHolder());
}

napi_value HasLiveHolder(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open != nullptr && open->semaphore->HasLiveHolder() ? 1 : 0);
}

napi_value Recover(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? -EBADF : open->semaphore->Recover(args.Flag(1)));
}

napi_value SetWaiting(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open != nullptr) open->semaphore->SetWaiting(static_cast<uint32_t>(args.Size(1)));
  return nullptr;
}

napi_value ReapDeadWaiters(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->ReapDeadWaiters());
}

napi_value FolderOfFamilies(napi_env env, napi_callback_info) {
  const std::string folder = FamilyFolder();
  napi_value text = nullptr;
  napi_create_string_utf8(env, folder.c_str(), folder.size(), &text);
  return text;
}

// ownFamily(): the name and the descriptor of the family in which this process makes semaphores, or
// undefined if it has made none and inherited none.
napi_value OwnFamily(napi_env env, napi_callback_info) {
  const std::shared_ptr<Family> own = Families::Existing();
  napi_value out = nullptr;
  if (!own) return out;
  napi_create_object(env, &out);
  napi_value name = nullptr;
  napi_create_string_utf8(env, own->name().c_str(), own->name().size(), &name);
  napi_set_named_property(env, out, "family", name);
  napi_value fd = nullptr;
  napi_create_int32(env, own->fd(), &fd);
  napi_set_named_property(env, out, "fd", fd);
  return out;
}

// inheritFamily(family, fd)
napi_value InheritFamily(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(Families::Inherit(args.String(0), UniqueFd(args.Int(1))));
}

// sweep(): an array of [family, number of names], or -errno.
napi_value SweepFamilies(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<SweptFamily> swept;
  const int status = Sweep(FamilyFolder(), &swept);
  if (status < 0) return args.Return(status);
  napi_value out = nullptr;
  napi_create_array_with_length(env, swept.size(), &out);
  for (uint32_t i = 0; i < swept.size(); i++) {
    napi_value pair = nullptr;
    napi_value name = nullptr;
    napi_create_array_with_length(env, 2, &pair);
    napi_create_string_utf8(env, swept[i].family.c_str(), swept[i].family.size(), &name);
    napi_set_element(env, pair, 0, name);
    napi_set_element(env, pair, 1, args.Return(swept[i].names));
    napi_set_element(env, out, i, pair);
  }
  return out;
}

}  // namespace

void ExportSemaphoreApi(Napi::Env env, Napi::Object exports) {
  Napi::Object semaphores = Napi::Object::New(env);
  const NamedFunction functions[] = {
      {"create", Create},
      {"attach", Attach},
      {"openNamed", OpenNamed},
      {"unlinkNamed", UnlinkNamed},
      {"close", Close},
      {"pin", Pin},
      {"unpin", Unpin},
      {"ownFamily", OwnFamily},
      {"inheritFamily", InheritFamily},
      {"describe", Describe},
      {"track", Track},
      {"expose", Expose},
      {"tryWait", TryWait},
      {"tryWaitLast", TryWaitLast},
      {"spin", Spin},
      {"waitSync", WaitSync},
      {"wait", Wait},
      {"cancelWait", CancelWait},
      {"completions", Completions},
      {"takeCompletions", TakeCompletions},
      {"post", Post},
      {"value", Value},
      {"deadHolder", DeadHolder},
      {"hasLiveHolder", HasLiveHolder},
      {"recover", Recover},
      {"setWaiting", SetWaiting},
      {"reapDeadWaiters", ReapDeadWaiters},
      {"familyFolder", FolderOfFamilies},
      {"sweep", SweepFamilies},
  };
  ExportFunctions(env, semaphores, functions);
  semaphores.Set("waitsForMany", SemaphoreWaiter::WaitsForMany());
  exports.Set("semaphores", semaphores);
}

}  // namespace mp
