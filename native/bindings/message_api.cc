// SPDX-License-Identifier: MIT
//
// Receiving and sending, as lib/native/addon.ts declares it. The rules are those of
// endpoint_api.cc.
#include <algorithm>
#include <chrono>
#include <memory>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "environment/blocking.h"
#include "io/flush_thread.h"
#include "util/status.h"

namespace mp {

namespace {

napi_value ReadReady(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint != nullptr && endpoint->reader().Ready() ? 1 : 0);
}

// Memory that messages are put into, from `offset` on: nothing if there is no room for the largest.
Bytes RoomForFrames(Bytes slab, size_t offset) noexcept {
  if (offset > slab.size || slab.size - offset < FrameReader::kFrameBytes) return {};
  return {slab.data + offset, slab.size - offset};
}

napi_value Receive(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes room = RoomForFrames(args.Bytes(1), args.Size(2));
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (room.data == nullptr) return args.Return(-EINVAL);
  FrameReader& reader = endpoint->reader();
  if (args.Flag(4) && reader.drained()) return args.Return(-EAGAIN);
  return args.Return(reader.ReadFrames(endpoint->source(), room.data, room.size, args.Size(3)));
}

// Whether a Sync call may block inside read() or write(), where neither a deadline nor a signal nor
// the end of a worker can end it. lib/ says whether JavaScript listens for signals.
bool MayBlockInside(const AddonEnv& addon, const Deadline& deadline, bool no_listeners) noexcept {
  return no_listeners && addon.is_main_thread() && deadline.never();
}

napi_value ReceiveSync(napi_env env, napi_callback_info info) {
  const Args<7> args(env, info);
  AddonEnv& addon = args.addon();
  Endpoint* found = addon.FindEndpoint(args.Int(0));
  const Bytes room = RoomForFrames(args.Bytes(1), args.Size(2));
  if (found == nullptr) return args.Return(-EBADF);
  if (room.data == nullptr) return args.Return(-EINVAL);
  const std::shared_ptr<Endpoint> endpoint = addon.Find(args.Int(0))->endpoint;
  const uint64_t limit = args.Size(3);
  const Deadline deadline = Deadline::After(args.Number(4));
  Spinner spinner(static_cast<int64_t>(args.Number(5)), &endpoint->spin_history);
  const Endpoint::BlockingScope blocking(
      *endpoint, Endpoint::BlockingScope::kReading,
      !spinner.enabled() && MayBlockInside(addon, deadline, args.Flag(6)));
  const bool wait_first =
      !blocking.on() && endpoint->receive_habit.ExpectsToWait() && !endpoint->reader().Ready();
  int attempts = 0;
  const int64_t result = BlockUntilDone(
      addon, endpoint->fd(), POLLIN, deadline, &spinner, wait_first, [&]() -> int64_t {
        attempts++;
        return endpoint->reader().ReadFrames(endpoint->source(), room.data, room.size, limit);
      });
  if (!wait_first && !blocking.on()) endpoint->receive_habit.Learn(attempts > 1);
  return args.Return(result);
}

napi_value ReceiveLarge(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes into = args.Bytes(1);
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (static_cast<int64_t>(into.size) < endpoint->reader().received()) {
    return args.Return(kBufferChanged);
  }
  return args.Return(
      endpoint->reader().ReadLarge(endpoint->source(), into.data, into.size, args.Size(2)));
}

// Blocks until `into` is full or the message is complete.
napi_value ReceiveLargeSync(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  AddonEnv& addon = args.addon();
  Endpoint* found = addon.FindEndpoint(args.Int(0));
  const Bytes into = args.Bytes(1);
  if (found == nullptr) return args.Return(-EBADF);
  if (static_cast<int64_t>(into.size) < found->reader().received()) {
    return args.Return(kBufferChanged);
  }
  const std::shared_ptr<Endpoint> endpoint = addon.Find(args.Int(0))->endpoint;
  const auto target = std::min(static_cast<int64_t>(into.size), endpoint->reader().length());
  const Deadline deadline = Deadline::After(args.Number(2));
  const Endpoint::BlockingScope blocking(*endpoint, Endpoint::BlockingScope::kReading,
                                         MayBlockInside(addon, deadline, args.Flag(3)));
  return args.Return(
      BlockUntilDone(addon, endpoint->fd(), POLLIN, deadline, nullptr, false, [&]() -> int64_t {
        const int64_t have =
            endpoint->reader().ReadLarge(endpoint->source(), into.data, into.size, SIZE_MAX);
        return have >= 0 && have < target ? -EAGAIN : have;
      }));
}

napi_value ReceiveDescriptor(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  return args.Return(endpoint->reader().ReadDescriptor(endpoint->source()));
}

// Finds a message in a typed array. False if the array is too short for it by now.
bool Part(const Bytes& whole, size_t offset, size_t size, const uint8_t** data) noexcept {
  if (offset > whole.size || size > whole.size - offset) return false;
  static const uint8_t kNothing = 0;
  *data = whole.data == nullptr ? &kNothing : whole.data + offset;
  return true;
}

// Another thread writes what is left here if this one does not come to it.
void WatchAccepted(Endpoint& endpoint) {
  if (endpoint.outbox().due() != 0) FlushThread::Watch(endpoint.shared_from_this());
}

napi_value Send(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const uint8_t* data = nullptr;
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!Part(args.Bytes(1), args.Size(2), args.Size(3), &data)) return args.Return(kBufferChanged);
  const int64_t status = endpoint->outbox().Send(endpoint->sink(), data, args.Size(3));
  WatchAccepted(*endpoint);
  return args.Return(status);
}

napi_value Append(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const uint8_t* data = nullptr;
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!Part(args.Bytes(1), args.Size(2), args.Size(3), &data)) return args.Return(kBufferChanged);
  const int64_t number = endpoint->outbox().Append(data, args.Size(3), args.Size(4));
  WatchAccepted(*endpoint);
  return args.Return(number);
}

napi_value AppendUnframed(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  const Bytes data = args.Bytes(1);
  return args.Return(endpoint->outbox().AppendUnframed(data.data, data.size));
}

napi_value AppendDescriptor(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!endpoint->is_socket()) return args.Return(-ENOTSOCK);
  const int copy = sys::Duplicate(args.Int(1));
  if (copy < 0) return args.Return(copy);
  return args.Return(endpoint->outbox().AppendDescriptor(UniqueFd(copy)));
}

// The borrowed payload of a message: a typed array, the offset and the size of the message in it.
template <size_t N>
FrameWriter::Borrowed ReadBorrowed(const Args<N>& args, size_t first) {
  const Bytes whole = args.Bytes(first);
  const size_t offset = args.Size(first + 1);
  const size_t size = args.Size(first + 2);
  FrameWriter::Borrowed borrowed;
  // Not null even when detached: null means that no message borrows anything.
  static const uint8_t kNothing = 0;
  if (size > 0) borrowed.data = &kNothing;
  if (whole.data != nullptr && offset <= whole.size) {
    borrowed.data = whole.data + offset;
    borrowed.size = std::min(size, whole.size - offset);
  }
  return borrowed;
}

napi_value Flush(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  const int64_t status =
      endpoint->outbox().Flush(endpoint->sink(), ReadBorrowed(args, 1), args.Size(4));
  WatchAccepted(*endpoint);
  return args.Return(status);
}

// Blocks until the first waiting message is complete.
napi_value FlushSync(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  AddonEnv& addon = args.addon();
  if (addon.FindEndpoint(args.Int(0)) == nullptr) return args.Return(-EBADF);
  const std::shared_ptr<Endpoint> endpoint = addon.Find(args.Int(0))->endpoint;
  const FrameWriter::Borrowed borrowed = ReadBorrowed(args, 1);
  const Deadline deadline = Deadline::After(args.Number(4));
  Outbox& outbox = endpoint->outbox();
  const Endpoint::BlockingScope blocking(
      *endpoint, Endpoint::BlockingScope::kWriting,
      !outbox.accepts() && MayBlockInside(addon, deadline, args.Flag(5)));
  const int64_t result =
      BlockUntilDone(addon, endpoint->fd(), POLLOUT, deadline, nullptr, false, [&]() -> int64_t {
        const int64_t done = outbox.Flush(endpoint->sink(), borrowed, SIZE_MAX);
        return done == 0 && !outbox.empty() ? -EAGAIN : done;
      });
  WatchAccepted(*endpoint);
  return args.Return(result);
}

napi_value Withdraw(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  const auto number = static_cast<int64_t>(args.Number(1));
  return args.Return(endpoint->outbox().Withdraw(number, ReadBorrowed(args, 2)));
}

napi_value PendingBytes(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(0);
  return args.Return(static_cast<int64_t>(endpoint->outbox().pending_bytes()));
}

// accept(id, exitLimitMs)
napi_value Accept(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const double limit = std::min(args.Number(1), 1e9);
  if (endpoint != nullptr) {
    endpoint->outbox().Accept(std::chrono::milliseconds(static_cast<int64_t>(limit)));
  }
  return nullptr;
}

napi_value MakeSlab(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Bytes memory = args.Bytes(0);
  if (memory.size <= SendSlab::kHeadBytes) return args.Return(-EINVAL);
  return args.Return(args.addon().AddSlab(args.Value(0), memory.data, memory.size));
}

// lend(id, slab)
napi_value Lend(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  SendSlab* slab = args.addon().FindSlab(args.Int(1));
  if (endpoint == nullptr || slab == nullptr) return args.Return(-EBADF);
  endpoint->outbox().Lend(slab, args.Int(0));
  WatchAccepted(*endpoint);
  return args.Return(0);
}

napi_value DropPending(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint != nullptr && endpoint->outbox().Clear() ? 1 : 0);
}

}  // namespace

void ExportMessageApi(napi_env env, napi_value exports) {
  const NamedFunction functions[] = {
      {"readReady", ReadReady},
      {"receive", Receive},
      {"receiveSync", ReceiveSync},
      {"receiveLarge", ReceiveLarge},
      {"receiveLargeSync", ReceiveLargeSync},
      {"receiveDescriptor", ReceiveDescriptor},
      {"send", Send},
      {"append", Append},
      {"appendUnframed", AppendUnframed},
      {"appendDescriptor", AppendDescriptor},
      {"flush", Flush},
      {"flushSync", FlushSync},
      {"withdraw", Withdraw},
      {"dropPending", DropPending},
      {"pendingBytes", PendingBytes},
      {"accept", Accept},
      {"makeSlab", MakeSlab},
      {"lend", Lend},
  };
  ExportFunctions(env, exports, functions);
}

}  // namespace mp
