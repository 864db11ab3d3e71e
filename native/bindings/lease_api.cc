// SPDX-License-Identifier: MIT
//
// Queues with leases, as lib/native/addon.ts declares them. The rules are those of endpoint_api.cc.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <vector>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "util/status.h"

namespace mp {

namespace {

template <size_t N>
EnvironmentLeases::OpenQueue* Find(const Args<N>& args) {
  return args.addon().leases().Find(args.Int(0));
}

// nullptr once it is closed.
template <size_t N>
LeaseMember* MemberOf(const Args<N>& args) {
  const auto* open = Find(args);
  return open == nullptr ? nullptr : open->member.get();
}

template <size_t N>
std::shared_ptr<Endpoint> EndpointOf(const Args<N>& args, size_t index) {
  const AddonEnv::Pollable* pollable = args.addon().Find(args.Int(index));
  return pollable == nullptr ? nullptr : pollable->endpoint;
}

// create(bytes, places, maxDeliveries)
napi_value Create(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  return args.Return(
      LeaseBlock::Create({args.Size(0), args.Size(1), static_cast<uint32_t>(args.Size(2))}));
}

// open(fd, readyReader, readyWriter, freedReader, freedWriter, thread)
napi_value Open(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  LeasePipe ready{EndpointOf(args, 1), EndpointOf(args, 2)};
  LeasePipe freed{EndpointOf(args, 3), EndpointOf(args, 4)};
  if (!ready.reader || !ready.writer || !freed.reader || !freed.writer) return args.Return(-EBADF);
  return args.Return(args.addon().leases().Add(args.Int(0), std::move(ready), std::move(freed),
                                               static_cast<uint32_t>(args.Int(5))));
}

// put(id, data, prefix)
napi_value Put(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  LeaseMember* member = MemberOf(args);
  const Bytes data = args.Bytes(1);
  const Bytes prefix = args.Bytes(2);
  if (member == nullptr) return args.Return(-EBADF);
  return args.Return(member->Put({prefix.data, prefix.size, data.data, data.size}));
}

// get(id, slab, letters, found)
napi_value Get(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  LeaseMember* member = MemberOf(args);
  const Bytes slab = args.Bytes(1);
  const Bytes found = args.Bytes(3);
  if (member == nullptr) return args.Return(-EBADF);
  double fields[4];
  if (found.size < sizeof fields) return args.Return(-EINVAL);
  LeaseMember::Item item;
  const int status = member->Get(args.Flag(2), &item);
  if (status < 0) return args.Return(status);
  fields[0] = static_cast<double>(item.receipt);
  fields[1] = static_cast<double>(item.length);
  fields[2] = item.deliveries;
  fields[3] = item.dead ? 1 : 0;
  std::memcpy(found.data, fields, sizeof fields);
  if (item.length > slab.size) return args.Return(kLargeMessage);
  if (item.length > 0) std::memcpy(slab.data, item.payload, item.length);
  return args.Return(static_cast<int64_t>(item.length));
}

// read(id, receipt, into)
napi_value Read(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const LeaseMember* member = MemberOf(args);
  const Bytes into = args.Bytes(2);
  LeaseMember::Item item;
  if (member == nullptr) return args.Return(-EBADF);
  const int status = member->Find(args.Size(1), &item);
  if (status < 0) return args.Return(status);
  const size_t size = std::min<uint64_t>(into.size, item.length);
  if (size > 0) std::memcpy(into.data, item.payload, size);
  return args.Return(static_cast<int64_t>(size));
}

// end(id, receipt, finished)
napi_value End(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  LeaseMember* member = MemberOf(args);
  return args.Return(member == nullptr ? -EBADF : member->End(args.Size(1), args.Flag(2)));
}

napi_value Finished(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  LeaseMember* member = MemberOf(args);
  return args.Return(member == nullptr ? -EBADF : member->Finished());
}

// forget(id, want)
napi_value Forget(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  LeaseMember* member = MemberOf(args);
  if (member != nullptr) member->Forget(static_cast<leases::Want>(args.Int(1)));
  return nullptr;
}

napi_value Check(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  LeaseMember* member = MemberOf(args);
  return args.Return(member == nullptr ? -EBADF : member->Check());
}

// report(id): how many items wait, then (pid, thread, items, milliseconds) of each holder; or a
// status.
napi_value Report(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  LeaseMember* member = MemberOf(args);
  if (member == nullptr) return args.Return(-EBADF);
  std::vector<LeaseMember::Holder> holders;
  uint64_t waiting = 0;
  const int status = member->Report(&holders, &waiting);
  if (status < 0) return args.Return(status);
  std::vector<uint64_t> numbers{waiting};
  for (const auto& holder : holders) {
    numbers.insert(numbers.end(), {holder.pid, holder.thread, holder.items, holder.milliseconds});
  }
  return args.Array(numbers.size(),
                    [&](uint32_t i) { return args.Return(static_cast<int64_t>(numbers[i])); });
}

// counts(id, out): items that wait, places that are taken, items that are unfinished, members that
// were woken and have not looked.
napi_value Counts(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const auto* open = Find(args);
  const Bytes out = args.Bytes(1);
  if (open == nullptr) return args.Return(-EBADF);
  const LeaseCounts counts = CountsOf(*open->block);
  const auto clamp = [](uint64_t count) {
    return static_cast<int32_t>(std::min<uint64_t>(count, INT32_MAX));
  };
  const int32_t numbers[] = {clamp(counts.waiting), clamp(counts.places), clamp(counts.unfinished),
                             clamp(counts.woken)};
  if (out.size < sizeof numbers) return args.Return(-EINVAL);
  std::memcpy(out.data, numbers, sizeof numbers);
  return args.Return(0);
}

// stats(id): items put, deliveries, takeovers of the lock, and items that wait; or -errno.
napi_value Stats(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const auto* open = Find(args);
  if (open == nullptr) return args.Return(-EBADF);
  const leases::Header& header = open->block->header();
  const uint64_t numbers[] = {header.last_number.load(), header.got.load(),
                              header.recoveries.load(), header.waiting.load()};
  return args.Array(std::size(numbers),
                    [&](uint32_t i) { return args.Return(static_cast<int64_t>(numbers[i])); });
}

napi_value Flags(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const LeaseMember* member = MemberOf(args);
  return args.Return(member == nullptr ? 0 : member->flags());
}

napi_value AddFlags(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  LeaseMember* member = MemberOf(args);
  if (member != nullptr) member->AddFlags(static_cast<uint32_t>(args.Int(1)));
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().leases().Close(args.Int(0));
  return nullptr;
}

napi_value Release(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().leases().Release(args.Int(0));
  return nullptr;
}

}  // namespace

void ExportLeaseApi(napi_env env, napi_value exports) {
  napi_value object = ExportObject(env, exports, "leases");
  const NamedFunction functions[] = {
      {"create", Create},     {"open", Open},     {"put", Put},           {"get", Get},
      {"read", Read},         {"end", End},       {"finished", Finished}, {"forget", Forget},
      {"check", Check},       {"report", Report}, {"counts", Counts},     {"flags", Flags},
      {"addFlags", AddFlags}, {"close", Close},   {"release", Release},   {"stats", Stats},
  };
  ExportFunctions(env, object, functions);
  const NamedNumber numbers[] = {
      {"room", leases::Want::kRoom},
      {"idle", leases::Want::kIdle},
  };
  ExportNumbers(env, object, numbers);
}

}  // namespace mp
