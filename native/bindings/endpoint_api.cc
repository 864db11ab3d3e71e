// SPDX-License-Identifier: MIT
//
// Functions that lib/native/addon.ts declares and documents. Endpoints are named by small integers.
// Results are >= 0, -errno or a Status. Nothing here may throw, since Node's frames cannot be
// unwound. Only std::bad_alloc is left, which ends the process as a lack of memory in V8 does.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "environment/blocking.h"
#include "os/descriptor_kind.h"
#include "os/memory.h"
#include "os/platform.h"
#include "os/sys.h"
#include "semaphores/semaphore_waiter.h"
#include "util/status.h"

namespace mp {

namespace {

// Options as they arrive from JavaScript at argument `first`: maxMessageBytes, readAhead.
template <size_t N>
Endpoint::Options ReadOptions(const Args<N>& args, size_t first) {
  Endpoint::Options options;
  const double max = args.Number(first);
  options.max_message_bytes = max >= 9e15 ? static_cast<uint64_t>(9e15) : args.Size(first);
  options.read_ahead = args.Flag(first + 1);
  options.first_method = args.addon().first_method();
  return options;
}

int32_t Wrap(AddonEnv& addon, UniqueFd fd, const Endpoint::Options& options) {
  sys::Description what;
  const int status = sys::Describe(fd.get(), &what);
  if (status < 0) return status;
  return addon.Add(std::make_shared<Endpoint>(std::move(fd), what, options));
}

// configure(ioMethod, semaphoresInTurn)
napi_value Configure(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  args.addon().set_first_method(static_cast<IoMethod>(args.Int(0)));
  SemaphoreWaiter::Configure(args.Flag(1));
  return nullptr;
}

// makePair(socket, ids, maxMessageBytes, readAhead): both ids are written to `ids`.
napi_value MakePair(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const Bytes ids = args.Bytes(1);
  if (ids.size < 2 * sizeof(int32_t)) return args.Return(-EINVAL);
  int fds[2];
  const int made = args.Flag(0) ? platform::MakeSocketPair(fds) : platform::MakePipe(fds);
  if (made < 0) return args.Return(made);
  UniqueFd ends[2] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  const Endpoint::Options options = ReadOptions(args, 2);
  int32_t numbers[2] = {-1, -1};
  for (int i = 0; i < 2; i++) {
    numbers[i] = Wrap(args.addon(), std::move(ends[i]), options);
    if (numbers[i] >= 0) continue;
    if (i == 1) args.addon().Release(numbers[0]);
    return args.Return(numbers[i]);
  }
  std::memcpy(ids.data, numbers, sizeof numbers);
  return args.Return(0);
}

// adopt(fd, maxMessageBytes, readAhead): the descriptor has been inspected by describe().
napi_value Adopt(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const int fd = args.Int(0);
  sys::Description what;
  const int status = sys::Describe(fd, &what);
  if (status < 0) return args.Return(status);
  // Within this thread, check and adoption are one step. That another thread adopts the same number
  // at the same moment is a double ownership that no check could prevent.
  if (Endpoint::Owns(fd)) return args.Return(-EBUSY);
  return args.Return(
      args.addon().Add(std::make_shared<Endpoint>(UniqueFd(fd), what, ReadOptions(args, 1))));
}

// describe(fd, out): kind, readable, writable, stream, owned into an Int32Array of five.
napi_value Describe(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const Bytes out = args.Bytes(1);
  sys::Description what;
  const int status = sys::Describe(args.Int(0), &what);
  if (status < 0) return args.Return(status);
  const int32_t fields[5] = {static_cast<int32_t>(what.kind), what.readable, what.writable,
                             what.stream, Endpoint::Owns(args.Int(0))};
  if (out.size < sizeof fields) return args.Return(-EINVAL);
  std::memcpy(out.data, fields, sizeof fields);
  return args.Return(0);
}

napi_value Watch(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const int copy = sys::Duplicate(args.Int(0));
  return args.Return(copy < 0 ? copy : args.addon().AddWatched(UniqueFd(copy)));
}

napi_value Release(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().Release(args.Int(0));
  return nullptr;
}

napi_value Arm(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(args.addon().Arm(args.Int(0), static_cast<uint32_t>(args.Int(1))));
}

napi_value SetRef(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  args.addon().SetRef(args.Flag(0));
  return nullptr;
}

napi_value SetSpin(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(args.addon().SetSpin(static_cast<int64_t>(args.Number(0))));
}

napi_value Fileno(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const AddonEnv::Pollable* pollable = args.addon().Find(args.Int(0));
  return args.Return(pollable == nullptr ? -EBADF : pollable->fd());
}

napi_value ReadAheadOnceAlone(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint != nullptr) endpoint->ReadAheadOnceAlone();
  return nullptr;
}

napi_value StopReadingAhead(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint != nullptr && endpoint->StopReadingAhead());
}

napi_value MarkLastCopy(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint != nullptr) sys::MarkLastCopy(endpoint->fd(), true);
  return nullptr;
}

// takeHeld(id, out): see FrameReader::TakeOut.
napi_value TakeHeld(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes out = args.Bytes(1);
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (out.size < FrameReader::kMaxHeldBytes) return args.Return(-EINVAL);
  return args.Return(endpoint->reader().TakeOut(out.data));
}

// putHeld(id, bytes): see FrameReader::PutIn.
napi_value PutHeld(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes bytes = args.Bytes(1);
  if (endpoint == nullptr) return args.Return(-EBADF);
  return args.Return(bytes.size == 0 ? 0 : endpoint->reader().PutIn(bytes.data, bytes.size));
}

napi_value Duplicate(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(sys::Duplicate(args.Int(0)));
}

// inspect(id): I/O methods, length and received of the last message, pending bytes.
napi_value Inspect(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  napi_value out = nullptr;
  napi_create_object(env, &out);
  const auto set = [&](const char* key, double value) {
    napi_value number = nullptr;
    napi_create_double(env, value, &number);
    napi_set_named_property(env, out, key, number);
  };
  set("readMethod", static_cast<double>(endpoint->method(false)));
  set("writeMethod", static_cast<double>(endpoint->method(true)));
  set("length", static_cast<double>(endpoint->reader().length()));
  set("received", static_cast<double>(endpoint->reader().received()));
  set("pending", static_cast<double>(endpoint->outbox().pending_bytes()));
  return out;
}

napi_value MessageLength(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint == nullptr ? -EBADF : endpoint->reader().length());
}

// poll(triples, timeoutMs): an Int32Array of (descriptor, interest, ready), waited for together.
napi_value Poll(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const Bytes bytes = args.Bytes(0);
  auto* triples = reinterpret_cast<int32_t*>(bytes.data);
  const int count = static_cast<int>(bytes.size / (3 * sizeof(int32_t)));
  std::vector<pollfd> fds(static_cast<size_t>(count) + 1);
  for (int i = 0; i < count; i++) {
    const int32_t interest = triples[3 * i + 1];
    fds[static_cast<size_t>(i)].fd = triples[3 * i];
    if ((interest & kRead) != 0) fds[static_cast<size_t>(i)].events |= POLLIN;
    if ((interest & kWrite) != 0) fds[static_cast<size_t>(i)].events |= POLLOUT;
  }
  const Deadline deadline = Deadline::After(args.Number(1));
  const int ready = BlockOnDescriptors(args.addon(), fds.data(), count, deadline);
  for (int i = 0; ready >= 0 && i < count; i++)
    triples[3 * i + 2] = fds[static_cast<size_t>(i)].revents;
  return args.Return(ready);
}

napi_value CloseDescriptor(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  sys::Close(args.Int(0));
  return nullptr;
}

napi_value GrowBuffer(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint == nullptr ? -EBADF : endpoint->GrowBuffer());
}

napi_value ShrinkBuffer(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint == nullptr ? -EBADF : endpoint->ShrinkBuffer());
}

// The allocator belongs to the process, which several environments share.
constexpr size_t kMostKept = 64 * 1024 * 1024;

napi_value KeepFreedMemory(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  static const bool keeps = platform::KeepFreedMemory(kMostKept);
  return args.Return(keeps ? 1 : 0);
}

napi_value TrimMemory(napi_env, napi_callback_info) {
  platform::TrimMemory(kMostKept);
  return nullptr;
}

napi_value Populate(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const Bytes bytes = args.Bytes(0);
  platform::Populate(bytes.data, bytes.size);
  return nullptr;
}

napi_value CancelBlockedCalls(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  AddonEnv::CancelAllBlockedCalls(&args.addon());
  return nullptr;
}

// start(isMainThread, onReady, events)
napi_value Start(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  return args.Return(args.addon().Start(args.Flag(0), args.Value(1), args.Value(2)));
}

}  // namespace

void ExportEndpointApi(napi_env env, napi_value exports) {
  const NamedFunction functions[] = {
      {"configure", Configure},
      {"start", Start},
      {"makePair", MakePair},
      {"adopt", Adopt},
      {"describe", Describe},
      {"watch", Watch},
      {"release", Release},
      {"arm", Arm},
      {"setRef", SetRef},
      {"setSpin", SetSpin},
      {"fileno", Fileno},
      {"readAheadOnceAlone", ReadAheadOnceAlone},
      {"stopReadingAhead", StopReadingAhead},
      {"markLastCopy", MarkLastCopy},
      {"takeHeld", TakeHeld},
      {"putHeld", PutHeld},
      {"duplicate", Duplicate},
      {"inspect", Inspect},
      {"messageLength", MessageLength},
      {"poll", Poll},
      {"closeDescriptor", CloseDescriptor},
      {"growBuffer", GrowBuffer},
      {"shrinkBuffer", ShrinkBuffer},
      {"keepFreedMemory", KeepFreedMemory},
      {"trimMemory", TrimMemory},
      {"populate", Populate},
      {"cancelBlockedCalls", CancelBlockedCalls},
  };
  ExportFunctions(env, exports, functions);
  napi_value status = ExportObject(env, exports, "status");
  const NamedNumber codes[] = {
      {"endOfFile", kEndOfFile},
      {"truncated", kTruncated},
      {"badLength", kBadLength},
      {"tooLong", kTooLong},
      {"largeMessage", kLargeMessage},
      {"unexpectedDescriptor", kUnexpectedDescriptor},
      {"noDescriptor", kNoDescriptor},
      {"bufferChanged", kBufferChanged},
      {"unreadable", kUnreadable},
      {"itemLost", kItemLost},
      {"ownerDied", kOwnerDied},
      {"queueBroken", kQueueBroken},
      {"shutDown", kShutDown},
      {"noThread", kNoThread},
      // errno numbers differ between systems, so lib/ finds those that it distinguishes by name.
      {"again", -EAGAIN},
      {"interrupted", -EINTR},
      {"timedOut", -ETIMEDOUT},
      {"canceled", -ECANCELED},
      {"noMemory", -ENOMEM},
      {"notWatchable", -EPERM},
      {"busy", -EBUSY},
      {"overflow", -EOVERFLOW},
      {"notFound", -ESRCH},
      {"inProgress", -EINPROGRESS},
      {"refused", -ECONNREFUSED},
  };
  ExportNumbers(env, status, codes);
  const NamedNumber sizes[] = {
      {"smallBytes", FrameReader::kSmallBytes},   {"aheadBytes", FrameReader::kAheadBytes},
      {"frameBytes", FrameReader::kFrameBytes},   {"mostHeldBytes", FrameReader::kMaxHeldBytes},
      {"copiedBytes", FrameWriter::kCopiedBytes},
  };
  ExportNumbers(env, exports, sizes);
}

}  // namespace mp
