// SPDX-License-Identifier: MIT
//
// The functions that lib/native/addon.ts declares, which documents them. Endpoints are named by
// small integers; results are >= 0, -errno or a Status. Nothing here may throw, since Node's frames
// cannot be unwound; what is left is std::bad_alloc, which ends the process as V8's own does.
#include "bindings/endpoint_api.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "environment/blocking.h"
#include "os/describe.h"
#include "os/platform.h"
#include "os/sys.h"
#include "util/status.h"

namespace mp {

namespace {

// Options as they arrive from JavaScript at argument `first`: maxMessageBytes, readAhead, rung.
template <size_t N>
Endpoint::Options ReadOptions(const Args<N>& args, size_t first) {
  Endpoint::Options options;
  const double max = args.Number(first);
  options.max_message_bytes = max >= 9e15 ? static_cast<uint64_t>(9e15) : args.Size(first);
  options.read_ahead = args.Flag(first + 1);
  options.first_rung = static_cast<Rung>(args.Int(first + 2));
  return options;
}

int32_t Wrap(AddonEnv& addon, UniqueFd fd, const Endpoint::Options& options) {
  sys::Description what;
  const int status = sys::Describe(fd.get(), &what);
  if (status < 0) return status;
  return addon.Add(std::make_shared<Endpoint>(std::move(fd), what, options));
}

// makePair(socket, ids, maxMessageBytes, readAhead, rung): both ids are written to `ids`.
napi_value MakePair(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
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

// adopt(fd, maxMessageBytes, readAhead, rung): the descriptor has been inspected by describe().
napi_value Adopt(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const int fd = args.Int(0);
  sys::Description what;
  const int status = sys::Describe(fd, &what);
  if (status < 0) return args.Return(status);
  // Checked and taken in one step as far as this thread goes; another one that adopts the same
  // number at the same moment is a double ownership that no check could prevent.
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
  const AddonEnv::Slot* slot = args.addon().Find(args.Int(0));
  return args.Return(slot == nullptr ? -EBADF : slot->fd());
}

napi_value SetReadAhead(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint != nullptr) endpoint->reader().set_read_ahead(args.Flag(1));
  return nullptr;
}

// takeHeld(id, out): see FrameReader::TakeOut.
napi_value TakeHeld(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes out = args.Bytes(1);
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (out.size < FrameReader::kMostHeld) return args.Return(-EINVAL);
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

// inspect(id): rungs, length and received of the last message, pending bytes.
napi_value Inspect(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  // Raw calls, whose failure is ignored: while the worker is being terminated the wrapper's throw,
  // through Node's frames, which ends the process.
  napi_value out = nullptr;
  napi_create_object(env, &out);
  const auto set = [&](const char* key, double value) {
    napi_value number = nullptr;
    napi_create_double(env, value, &number);
    napi_set_named_property(env, out, key, number);
  };
  set("readRung", static_cast<double>(endpoint->rung(false)));
  set("writeRung", static_cast<double>(endpoint->rung(true)));
  set("length", static_cast<double>(endpoint->reader().length()));
  set("received", static_cast<double>(endpoint->reader().received()));
  set("pending", static_cast<double>(endpoint->writer().pending_bytes()));
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

void ExportEndpointApi(Napi::Env env, Napi::Object exports) {
  const NamedFunction functions[] = {
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
      {"setReadAhead", SetReadAhead},
      {"takeHeld", TakeHeld},
      {"putHeld", PutHeld},
      {"duplicate", Duplicate},
      {"inspect", Inspect},
      {"messageLength", MessageLength},
      {"poll", Poll},
      {"closeDescriptor", CloseDescriptor},
      {"cancelBlockedCalls", CancelBlockedCalls},
  };
  ExportFunctions(env, exports, functions);
  Napi::Object status = Napi::Object::New(env);
  status.Set("endOfFile", static_cast<double>(kEndOfFile));
  status.Set("truncated", static_cast<double>(kTruncated));
  status.Set("badLength", static_cast<double>(kBadLength));
  status.Set("tooLong", static_cast<double>(kTooLong));
  status.Set("largeMessage", static_cast<double>(kLargeMessage));
  status.Set("unexpectedDescriptor", static_cast<double>(kUnexpectedDescriptor));
  status.Set("noDescriptor", static_cast<double>(kNoDescriptor));
  status.Set("bufferChanged", static_cast<double>(kBufferChanged));
  status.Set("unreadable", static_cast<double>(kUnreadable));
  status.Set("ownerDied", static_cast<double>(kOwnerDied));
  status.Set("queueBroken", static_cast<double>(kQueueBroken));
  status.Set("shutDown", static_cast<double>(kShutDown));
  // errno numbers differ between systems, so those that lib/ tells apart are told by name.
  status.Set("again", static_cast<double>(-EAGAIN));
  status.Set("interrupted", static_cast<double>(-EINTR));
  status.Set("timedOut", static_cast<double>(-ETIMEDOUT));
  status.Set("canceled", static_cast<double>(-ECANCELED));
  status.Set("notWatchable", static_cast<double>(-EPERM));
  status.Set("busy", static_cast<double>(-EBUSY));
  status.Set("overflow", static_cast<double>(-EOVERFLOW));
  status.Set("inProgress", static_cast<double>(-EINPROGRESS));
  status.Set("refused", static_cast<double>(-ECONNREFUSED));
  exports.Set("status", status);
  exports.Set("smallBytes", static_cast<double>(FrameReader::kSmallBytes));
  exports.Set("mostHeldBytes", static_cast<double>(FrameReader::kMostHeld));
  exports.Set("copiedBytes", static_cast<double>(FrameWriter::kCopiedBytes));
}

}  // namespace mp
