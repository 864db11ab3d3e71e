// SPDX-License-Identifier: MIT
//
// The functions that lib/native.ts declares, which documents them. Endpoints are named by small
// integers; results are >= 0, -errno or a Status. Nothing here throws for an expected outcome.
#include "endpoint_api.h"

#include <climits>
#include <cstring>

#include "addon_env.h"
#include "blocking.h"
#include "napi_args.h"
#include "platform.h"
#include "status.h"

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

// inspect(id): rungs, length and received of the last message, held and pending bytes.
napi_value Inspect(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  Napi::Object out = Napi::Object::New(env);
  const auto set = [&](const char* key, double value) { out.Set(key, value); };
  set("readRung", static_cast<double>(endpoint->rung(false)));
  set("writeRung", static_cast<double>(endpoint->rung(true)));
  set("length", static_cast<double>(endpoint->reader().length()));
  set("received", static_cast<double>(endpoint->reader().received()));
  set("held", static_cast<double>(endpoint->reader().held()));
  set("pending", static_cast<double>(endpoint->writer().pending_bytes()));
  return out;
}

napi_value MessageLength(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint == nullptr ? -EBADF : endpoint->reader().length());
}

napi_value ReadReady(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  return args.Return(endpoint != nullptr && endpoint->reader().Ready() ? 1 : 0);
}

// A length limit as JavaScript gives it; Infinity and everything beyond exact integers is none.
uint64_t LengthLimit(double value) noexcept {
  return value < 9e15 ? static_cast<uint64_t>(value) : UINT64_MAX;
}

napi_value Receive(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const Bytes slab = args.Bytes(1);
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (slab.size < FrameReader::kSmallBytes) return args.Return(-EINVAL);
  return args.Return(
      endpoint->reader().ReadSmall(endpoint->source(), slab.data, LengthLimit(args.Number(2))));
}

napi_value ReceiveSync(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  AddonEnv& addon = args.addon();
  Endpoint* found = addon.FindEndpoint(args.Int(0));
  const Bytes slab = args.Bytes(1);
  if (found == nullptr) return args.Return(-EBADF);
  if (slab.size < FrameReader::kSmallBytes) return args.Return(-EINVAL);
  const std::shared_ptr<Endpoint> endpoint = addon.Find(args.Int(0))->endpoint;
  const uint64_t limit = LengthLimit(args.Number(2));
  const Deadline deadline = Deadline::After(args.Number(3));
  Spinner spinner(static_cast<int64_t>(args.Number(4)), &endpoint->spin_ns);
  return args.Return(
      BlockUntilDone(addon, endpoint->fd(), POLLIN, deadline, &spinner, [&]() -> int64_t {
        return endpoint->reader().ReadSmall(endpoint->source(), slab.data, limit);
      }));
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

// Until `into` is full or the message complete.
napi_value ReceiveLargeSync(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
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
  return args.Return(
      BlockUntilDone(addon, endpoint->fd(), POLLIN, deadline, nullptr, [&]() -> int64_t {
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

// The part of a typed array that a message is; false if the array is too short for it by now.
bool Part(const Bytes& whole, size_t offset, size_t size, const uint8_t** data) noexcept {
  if (offset > whole.size || size > whole.size - offset) return false;
  static const uint8_t kNothing = 0;
  *data = whole.data == nullptr ? &kNothing : whole.data + offset;
  return true;
}

napi_value Send(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const uint8_t* data = nullptr;
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!Part(args.Bytes(1), args.Size(2), args.Size(3), &data)) return args.Return(kBufferChanged);
  return args.Return(endpoint->writer().Send(endpoint->sink(), data, args.Size(3)));
}

napi_value Append(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const uint8_t* data = nullptr;
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!Part(args.Bytes(1), args.Size(2), args.Size(3), &data)) return args.Return(kBufferChanged);
  endpoint->writer().Append(data, args.Size(3));
  return args.Return(static_cast<int64_t>(endpoint->writer().pending_bytes()));
}

napi_value AppendDescriptor(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  if (!endpoint->is_socket()) return args.Return(-ENOTSOCK);
  const int copy = sys::Duplicate(args.Int(1));
  if (copy < 0) return args.Return(copy);
  endpoint->writer().AppendDescriptor(UniqueFd(copy));
  return args.Return(0);
}

// The lent payload of a message: a typed array, the offset and the size of the message in it.
template <size_t N>
FrameWriter::Lent ReadLent(const Args<N>& args, size_t first) {
  const Bytes whole = args.Bytes(first);
  const size_t offset = args.Size(first + 1);
  const size_t size = args.Size(first + 2);
  FrameWriter::Lent lent;
  // Not null even when detached: null means that no message lends anything.
  static const uint8_t kNothing = 0;
  if (size > 0) lent.data = &kNothing;
  if (whole.data != nullptr && offset <= whole.size) {
    lent.data = whole.data + offset;
    lent.size = std::min(size, whole.size - offset);
  }
  return lent;
}

napi_value Flush(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  return args.Return(endpoint->writer().Flush(endpoint->sink(), ReadLent(args, 1), args.Size(4)));
}

// Until the first waiting message is complete.
napi_value FlushSync(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  AddonEnv& addon = args.addon();
  if (addon.FindEndpoint(args.Int(0)) == nullptr) return args.Return(-EBADF);
  const std::shared_ptr<Endpoint> endpoint = addon.Find(args.Int(0))->endpoint;
  const FrameWriter::Lent lent = ReadLent(args, 1);
  const Deadline deadline = Deadline::After(args.Number(4));
  return args.Return(
      BlockUntilDone(addon, endpoint->fd(), POLLOUT, deadline, nullptr, [&]() -> int64_t {
        const int64_t done = endpoint->writer().Flush(endpoint->sink(), lent, SIZE_MAX);
        return done == 0 && !endpoint->writer().empty() ? -EAGAIN : done;
      }));
}

napi_value Withdraw(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint == nullptr) return args.Return(-EBADF);
  return args.Return(endpoint->writer().Withdraw(args.Size(1), ReadLent(args, 2)));
}

napi_value DropPending(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  if (endpoint != nullptr) endpoint->writer().Clear();
  return nullptr;
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
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"start", Start},
      {"makePair", MakePair},
      {"adopt", Adopt},
      {"describe", Describe},
      {"watch", Watch},
      {"release", Release},
      {"arm", Arm},
      {"setRef", SetRef},
      {"fileno", Fileno},
      {"setReadAhead", SetReadAhead},
      {"inspect", Inspect},
      {"messageLength", MessageLength},
      {"readReady", ReadReady},
      {"receive", Receive},
      {"receiveSync", ReceiveSync},
      {"receiveLarge", ReceiveLarge},
      {"receiveLargeSync", ReceiveLargeSync},
      {"receiveDescriptor", ReceiveDescriptor},
      {"send", Send},
      {"append", Append},
      {"appendDescriptor", AppendDescriptor},
      {"flush", Flush},
      {"flushSync", FlushSync},
      {"withdraw", Withdraw},
      {"dropPending", DropPending},
      {"poll", Poll},
      {"closeDescriptor", CloseDescriptor},
      {"cancelBlockedCalls", CancelBlockedCalls},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    exports.Set(name, Napi::Value(env, value));
  }
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
  // errno numbers differ between systems, so those that lib/ tells apart are told by name.
  status.Set("again", static_cast<double>(-EAGAIN));
  status.Set("interrupted", static_cast<double>(-EINTR));
  status.Set("timedOut", static_cast<double>(-ETIMEDOUT));
  status.Set("canceled", static_cast<double>(-ECANCELED));
  status.Set("notWatchable", static_cast<double>(-EPERM));
  status.Set("busy", static_cast<double>(-EBUSY));
  exports.Set("status", status);
  exports.Set("smallBytes", static_cast<double>(FrameReader::kSmallBytes));
}

}  // namespace mp
