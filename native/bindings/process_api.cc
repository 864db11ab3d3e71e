// SPDX-License-Identifier: MIT
//
// Processes, as lib/native/addon.ts declares them. The rules are those of endpoint_api.cc.
#include <chrono>
#include <utility>
#include <vector>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/environment_semaphores.h"
#include "os/processes.h"
#include "os/sys.h"
#include "process/parent_and_children.h"
#include "process/process_role.h"
#include "semaphores/resource_tracker.h"

namespace mp {

namespace {

napi_value Open(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(platform::OpenProcess(args.Int(0)));
}

napi_value End(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(EndOfChild(args.Int(0)));
}

// endWithParent(channel, graceMs): watches a copy of the descriptor.
napi_value WatchParent(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const int copy = sys::Duplicate(args.Int(0));
  if (copy < 0) return args.Return(copy);
  return args.Return(EndWithParent(UniqueFd(copy), std::chrono::milliseconds(args.Int(1))));
}

// started(pid, channel): a copy of the channel, unless that is -1, stays open until the child ends.
napi_value Started(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  UniqueFd copy;
  if (args.Int(1) >= 0) {
    const int status = sys::Duplicate(args.Int(1));
    if (status < 0) return args.Return(status);
    copy = UniqueFd(status);
  }
  args.addon().children().Add(args.Int(0), std::move(copy));
  return args.Return(0);
}

napi_value Ended(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().children().Remove(args.Int(0));
  return nullptr;
}

// trackResources(semaphores): the descriptor with which a new Python child tells what it makes. The
// Int32Array has the ids of the semaphores that the child is given.
napi_value TrackResources(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  EnvironmentSemaphores::EndWithProcess();
  const Bytes bytes = args.Bytes(0);
  const auto* ids = reinterpret_cast<const int32_t*>(bytes.data);
  std::vector<resource_tracker::Given> given;
  for (size_t i = 0; i < bytes.size / sizeof *ids; i++) {
    const auto* open = args.addon().semaphores().Find(ids[i]);
    if (open == nullptr || open->semaphore->table() == nullptr) continue;
    const TrackedSemaphore& semaphore = *open->semaphore;
    given.push_back({semaphore.shared(), semaphore.table(), open->number, semaphore.role()});
  }
  UniqueFd writer;
  const int status = resource_tracker::AddChild(std::move(given), &writer);
  return args.Return(status < 0 ? status : writer.Release());
}

// listDescriptors(): an array of [pid, fd, object, flags, program, peer], or -errno.
napi_value ListDescriptors(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<platform::HeldDescriptor> held;
  const int status = platform::ListDescriptors(&held);
  if (status < 0) return args.Return(status);
  return args.Array(held.size(), [&](uint32_t i) {
    const platform::HeldDescriptor& one = held[i];
    return args.Array(6, [&](uint32_t field) {
      if (field == 2) return args.Text(one.object);
      if (field == 4) return args.Text(one.program);
      if (field == 5) return args.Text(one.peer);
      return args.Return(field == 0 ? one.pid : field == 1 ? one.fd : one.flags);
    });
  });
}

napi_value GetRole(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Text(ProcessRole(args.String(0)));
}

napi_value SetRole(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  SetProcessRole(args.String(0));
  return nullptr;
}

napi_value GetRolesOfOtherCopies(napi_env env, napi_callback_info info) {
  const Args<0> args(env, info);
  const std::vector<std::string> roles = RolesOfOtherCopies();
  return args.Array(roles.size(), [&](uint32_t i) { return args.Text(roles[i]); });
}

}  // namespace

void ExportProcessApi(napi_env env, napi_value exports) {
  napi_value processes = ExportObject(env, exports, "processes");
  const NamedFunction functions[] = {
      {"open", Open},
      {"end", End},
      {"started", Started},
      {"ended", Ended},
      {"endWithParent", WatchParent},
      {"trackResources", TrackResources},
      {"listDescriptors", ListDescriptors},
      {"role", GetRole},
      {"setRole", SetRole},
      {"rolesOfOtherCopies", GetRolesOfOtherCopies},
  };
  ExportFunctions(env, processes, functions);
  const NamedNumber numbers[] = {
      {"killedBy", kKilledBy},
  };
  ExportNumbers(env, processes, numbers);
}

}  // namespace mp
