// SPDX-License-Identifier: MIT
//
// Blocks of shared memory for arrays, as lib/native/memory-functions.ts declares them. A block is
// named by the ArrayBuffer over it.
#include <cerrno>
#include <memory>
#include <utility>

#include "bindings/exports.h"
#include "bindings/external_buffer.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "shared_memory/array_pool.h"

namespace mp {

namespace {

using Block = std::shared_ptr<ArrayBlock>;

// An ArrayBuffer over the first `size` bytes of a block, which is returned to the pool when the
// memory of the buffer is freed.
template <size_t N>
napi_value Buffer(napi_env env, const Args<N>& args, int status, Block block, size_t size) {
  if (status < 0) return args.Return(status);
  void* data = block->data();
  auto* kept = new Block(std::move(block));
  const auto drop = [](napi_env, void*, void* hint) {
    const std::unique_ptr<Block> owned(static_cast<Block*>(hint));
    array_pool::Return(std::move(*owned));
  };
  napi_value buffer = nullptr;
  if (CreateExternalBuffer(env, data, size, drop, kept, &buffer)) return buffer;
  return args.Return(-ENOTSUP);
}

template <size_t N>
Block Find(napi_env env, const Args<N>& args) {
  void* data = nullptr;
  size_t size = 0;
  napi_get_arraybuffer_info(env, args.Value(0), &data, &size);
  return array_pool::Find(data);
}

// take(size), make(size)
template <int (*Get)(size_t, Block*)>
napi_value New(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Block block;
  const size_t size = args.Size(0);
  EnvironmentSemaphores::EndWithProcess();
  const int status = Get(size, &block);
  return Buffer(env, args, status, std::move(block), size);
}

// open(file, generation, word, ticket)
napi_value Open(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const ArrayTicket ticket{static_cast<uint32_t>(args.Int(2)), args.Size(3)};
  Block block;
  const int status = array_pool::Open(args.String(0), args.Size(1), ticket, &block);
  const size_t size = status < 0 ? 0 : block->size();
  return Buffer(env, args, status, std::move(block), size);
}

// reopen(buffer, generation, word, ticket)
napi_value Reopen(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  const Block block = Find(env, args);
  if (!block) return args.Return(-EBADF);
  block->EndTicket({static_cast<uint32_t>(args.Int(2)), args.Size(3)});
  return args.Return(block->generation() == args.Size(1) ? 0 : -ESTALE);
}

// send(buffer, id): where the block is, and a ticket. -EBADF if it is no block.
napi_value Send(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const Block block = Find(env, args);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(1));
  ArrayTicket ticket;
  int status = -EBADF;
  if (block) status = block->AddTicket(&ticket, endpoint ? MessageRoute::Of(*endpoint) : nullptr);
  if (status < 0) return args.Return(status);
  return args.Array(5, [&](size_t i) {
    if (i == 0) return args.Text(block->folder());
    if (i == 1) return args.Text(block->file());
    if (i == 2) return args.Return(static_cast<int64_t>(block->generation()));
    return args.Return(i == 3 ? int64_t{ticket.word} : static_cast<int64_t>(ticket.value));
  });
}

// endTicket(file, word, ticket)
napi_value EndTicket(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  array_pool::EndTicket(args.String(0), {static_cast<uint32_t>(args.Int(1)), args.Size(2)});
  return nullptr;
}

napi_value EndTicketsOf(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  array_pool::EndTicketsOf(static_cast<uint32_t>(args.Int(0)));
  return nullptr;
}

// closing(id)
napi_value Closing(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Endpoint* endpoint = args.addon().FindEndpoint(args.Int(0));
  const auto route = endpoint ? MessageRoute::Of(*endpoint, false) : nullptr;
  if (route) (void)route->HasEnded();
  return nullptr;
}

napi_value Trim(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Boolean(array_pool::Trim());
}

}  // namespace

void ExportArrayApi(napi_env env, napi_value exports) {
  napi_value object = ExportObject(env, exports, "arrays");
  const NamedFunction functions[] = {
      {"take", New<array_pool::Take>},
      {"make", New<array_pool::Make>},
      {"open", Open},
      {"reopen", Reopen},
      {"send", Send},
      {"endTicket", EndTicket},
      {"endTicketsOf", EndTicketsOf},
      {"closing", Closing},
      {"trim", Trim},
  };
  ExportFunctions(env, object, functions);
}

}  // namespace mp
