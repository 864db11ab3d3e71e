// SPDX-License-Identifier: MIT
//
// Semaphores, as lib/native/addon.ts declares them. The rules are those of
// endpoint_api.cc.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "environment/blocking.h"
#include "os/platform.h"
#include "os/sys.h"
#include "util/spinner.h"
#include "util/status.h"

namespace mp {

namespace {

// Waits always have an end, since only these are interrupted by a signal whose handler was
// installed with SA_RESTART.
constexpr std::chrono::hours kMaxSlice{1};

template <size_t N>
EnvironmentSemaphores::OpenSemaphore* Find(const Args<N>& args) {
  return args.addon().semaphores().Find(args.Int(0));
}

// create(value, label)
napi_value Create(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(
      args.addon().semaphores().Create(static_cast<uint32_t>(args.Size(0)), args.String(1)));
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
  const std::string family = open->family ? open->family->name() : "";
  napi_set_named_property(env, out, "name", args.Text(open->semaphore->semaphore().name()));
  napi_set_named_property(env, out, "family", args.Text(family));
  napi_set_named_property(env, out, "number", args.Return(open->number));
  return out;
}

// track(id, waits)
napi_value Track(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr || !open->family) return args.Return(0);
  const auto role =
      args.Flag(1) ? TrackedSemaphore::Role::kWaiter : TrackedSemaphore::Role::kHolder;
  return args.Return(open->semaphore->Track(open->family->table(), open->number, role));
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

// For a caller whose time is up. Checks the holder too, so that its death is also noticed by short
// waits that are repeated.
int TryLast(TrackedSemaphore& semaphore) {
  const int holder = semaphore.CheckHolder();
  if (holder < 0) return holder;
  const int status = semaphore.TryAcquire();
  if (status == -EAGAIN && semaphore.TakeNotification()) return 0;
  return status == -EAGAIN ? -ETIMEDOUT : status;
}

// Sleeps in slices: a worker must ask whether it is being terminated, and every thread whether the
// holder has died, or a notification was left in the table.
int Block(AddonEnv& addon, TrackedSemaphore& semaphore, const Deadline& deadline) {
  for (;;) {
    const int status = semaphore.TryAcquire();
    if (status != -EAGAIN) return status;
    std::chrono::nanoseconds slice = kMaxSlice;
    if (semaphore.has_checks()) slice = kCheckInterval;
    if (!addon.is_main_thread()) slice = std::min<std::chrono::nanoseconds>(slice, kWorkerSlice);
    if (!deadline.never()) slice = std::min(slice, deadline.Left());
    const int slept = semaphore.Wait(slice);
    if (slept == -EAGAIN) continue;
    if (slept != -ETIMEDOUT) return slept;
    if (!addon.is_main_thread() && (addon.IsCanceled() || addon.IsTerminating())) return -ECANCELED;
    if (!deadline.never() && deadline.Left().count() == 0) return TryLast(semaphore);
    const int holder = semaphore.CheckHolder();
    if (holder < 0) return holder;
    if (semaphore.TakeNotification()) return 0;
  }
}

// spin(id, ns): tries repeatedly for at most this time, and for less after it was in vain: the
// holder may be a task of this very thread, which cannot go on meanwhile. Handing a wait to another
// thread, and its outcome back, costs several times the time for which a lock is usually held.
napi_value Spin(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  Spinner spinner(static_cast<int64_t>(args.Number(1)), &open->spin_history);
  if (!spinner.enabled()) return args.Return(-EAGAIN);
  const int64_t status =
      spinner.Spin(Deadline(), [&]() -> int64_t { return open->semaphore->TryAcquire(); });
  if (status == -EAGAIN) spinner.Failed();
  return args.Return(status);
}

napi_value WaitSync(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  // A reference, which a wait needs, costs as much as an attempt.
  const int status = open->semaphore->TryAcquire();
  if (status != -EAGAIN) return args.Return(status);
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

// takeCompletions(pairs): (request, status) into an Int32Array. Returns how many pairs.
napi_value TakeCompletions(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Bytes bytes = args.Bytes(0);
  const auto& queue = args.addon().semaphores().completions();
  if (queue == nullptr) return args.Return(0);
  auto* pairs = reinterpret_cast<int32_t*>(bytes.data);
  const auto taken = queue->Dequeue(bytes.size / (2 * sizeof(int32_t)));
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

napi_value CountWaiting(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->CountWaiting());
}

napi_value CountWithoutTag(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->CountWithoutTag());
}

napi_value CountNotified(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->CountNotified());
}

napi_value LeaveNotifications(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(0);
  return args.Return(open->semaphore->LeaveNotifications(static_cast<uint32_t>(args.Size(1))));
}

napi_value TakeNotification(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open != nullptr && open->semaphore->TakeNotification() ? 1 : 0);
}

napi_value TakeSurplusNotification(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(0);
  const auto calls = static_cast<uint32_t>(args.Size(1));
  return args.Return(open->semaphore->TakeSurplusNotification(calls) ? 1 : 0);
}

napi_value TakeOrphanedNotifications(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->TakeOrphanedNotifications());
}

napi_value ReapDeadWaiters(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  return args.Return(open == nullptr ? 0 : open->semaphore->ReapDeadWaiters());
}

}  // namespace

void ExportSemaphoreApi(napi_env env, napi_value exports) {
  napi_value semaphores = ExportObject(env, exports, "semaphores");
  const NamedFunction functions[] = {
      {"create", Create},
      {"attach", Attach},
      {"openNamed", OpenNamed},
      {"unlinkNamed", UnlinkNamed},
      {"close", Close},
      {"pin", Pin},
      {"unpin", Unpin},
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
      {"recover", Recover},
      {"setWaiting", SetWaiting},
      {"countWaiting", CountWaiting},
      {"countWithoutTag", CountWithoutTag},
      {"countNotified", CountNotified},
      {"leaveNotifications", LeaveNotifications},
      {"takeNotification", TakeNotification},
      {"takeSurplusNotification", TakeSurplusNotification},
      {"takeOrphanedNotifications", TakeOrphanedNotifications},
      {"reapDeadWaiters", ReapDeadWaiters},
  };
  ExportFunctions(env, semaphores, functions);
  ExportFlag(env, semaphores, "waitsForMany", platform::MaxSemaphoreWords() > 0);
}

}  // namespace mp
