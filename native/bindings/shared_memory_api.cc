// SPDX-License-Identifier: MIT
//
// Blocks of shared memory, as lib/native/addon.ts declares them. The rules are those of
// endpoint_api.cc.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "bindings/exports.h"
#include "bindings/external_buffer.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"
#include "shared_memory/shared_block.h"

namespace mp {

namespace {

// Found at run time: it exists since Node 24.16.
using CreateSharedBuffer = napi_status (*)(napi_env, void*, size_t, void (*)(void*, void*), void*,
                                           napi_value*);

template <size_t N>
SharedBlock* Find(const Args<N>& args) {
  const auto* block = args.addon().blocks().Find(args.Int(0));
  return block == nullptr ? nullptr : block->get();
}

int32_t Add(AddonEnv& addon, int status, std::unique_ptr<SharedBlock> block) {
  if (status < 0) return status;
  EnvironmentSemaphores::EndWithProcess();
  return addon.blocks().Add(std::move(block));
}

// create(name, size): without a name if that is empty.
napi_value Create(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const std::string name = args.String(0);
  std::unique_ptr<SharedBlock> block;
  const int status = name.empty() ? SharedBlock::CreateUnnamed(args.Size(1), &block)
                                  : SharedBlock::Create(name, args.Size(1), &block);
  return args.Return(Add(args.addon(), status, std::move(block)));
}

napi_value Open(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::unique_ptr<SharedBlock> block;
  const int status = SharedBlock::Open(args.String(0), &block);
  return args.Return(Add(args.addon(), status, std::move(block)));
}

// adopt(fd)
napi_value Adopt(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::unique_ptr<SharedBlock> block;
  const int status = SharedBlock::Adopt(UniqueFd(args.Int(0)), &block);
  return args.Return(Add(args.addon(), status, std::move(block)));
}

napi_value Unlink(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return args.Return(SharedBlock::Unlink(args.String(0)));
}

napi_value Size(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const SharedBlock* block = Find(args);
  if (block == nullptr) return args.Return(-EBADF);
  return args.Return(static_cast<int64_t>(block->mapping()->size()));
}

napi_value Fileno(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const SharedBlock* block = Find(args);
  return args.Return(block == nullptr ? -EBADF : block->fd());
}

// The memory stays mapped until the buffer, or whatever buffer its memory was transferred to, is
// collected or detached.
using Kept = std::shared_ptr<SharedMapping>;

void Drop(void* kept) { delete static_cast<Kept*>(kept); }

// view(id): an ArrayBuffer, or -ENOTSUP where the runtime refuses external memory. To be called
// once for each id.
napi_value View(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const SharedBlock* block = Find(args);
  if (block == nullptr) return args.Return(-EBADF);
  auto* kept = new Kept(block->mapping());
  const auto drop = [](napi_env, void*, void* hint) { Drop(hint); };
  napi_value buffer = nullptr;
  if (CreateExternalBuffer(env, (*kept)->data(), (*kept)->size(), drop, kept, &buffer)) {
    return buffer;
  }
  return args.Return(-ENOTSUP);
}

// viewShared(id): a SharedArrayBuffer over a mapping of its own, which several threads may have,
// and which is unmapped when the last one has collected it. -ENOTSUP before Node 24.16.
napi_value ViewShared(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const SharedBlock* block = Find(args);
  if (block == nullptr) return args.Return(-EBADF);
  static const auto create =
      RuntimeFunction<CreateSharedBuffer>("node_api_create_external_sharedarraybuffer");
  if (create == nullptr) return args.Return(-ENOTSUP);
  Kept mapping;
  const int status = SharedMapping::Map(block->fd(), block->mapping()->size(), &mapping);
  if (status < 0) return args.Return(status);
  auto* kept = new Kept(std::move(mapping));
  napi_value buffer = nullptr;
  const auto drop = [](void*, void* hint) { Drop(hint); };
  if (create(env, (*kept)->data(), (*kept)->size(), drop, kept, &buffer) == napi_ok) return buffer;
  Drop(kept);
  return args.Return(-ENOTSUP);
}

// The part of a block from `offset` that has as many bytes as `bytes`, as far as there is one.
template <size_t N>
char* Part(const Args<N>& args, const Bytes& bytes, size_t* size) {
  const SharedBlock* block = Find(args);
  if (block == nullptr) return nullptr;
  const size_t offset = std::min(args.Size(1), block->mapping()->size());
  *size = std::min(bytes.size, block->mapping()->size() - offset);
  return static_cast<char*>(block->mapping()->data()) + offset;
}

// read(id, offset, into)
napi_value Read(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const Bytes into = args.Bytes(2);
  size_t size = 0;
  const char* from = Part(args, into, &size);
  if (from == nullptr) return args.Return(-EBADF);
  // The memory may be that of a view of the same block.
  if (size > 0) std::memmove(into.data, from, size);
  return args.Return(static_cast<int64_t>(size));
}

// write(id, offset, from)
napi_value Write(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const Bytes from = args.Bytes(2);
  size_t size = 0;
  char* into = Part(args, from, &size);
  if (into == nullptr) return args.Return(-EBADF);
  if (size > 0) std::memmove(into, from.data, size);
  return args.Return(static_cast<int64_t>(size));
}

// createGrowing(size)
napi_value CreateGrowing(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::unique_ptr<SharedBlock> block;
  const int status = SharedBlock::CreateGrowing(args.Size(0), &block);
  return args.Return(Add(args.addon(), status, std::move(block)));
}

// readAt(id, at, into)
napi_value ReadAt(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const SharedBlock* block = Find(args);
  const Bytes into = args.Bytes(2);
  if (block == nullptr) return args.Return(-EBADF);
  return args.Return(block->Read(into.data, into.size, static_cast<off_t>(args.Size(1))));
}

// writeAt(id, at, from)
napi_value WriteAt(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const SharedBlock* block = Find(args);
  const Bytes from = args.Bytes(2);
  if (block == nullptr) return args.Return(-EBADF);
  return args.Return(block->Write(from.data, from.size, static_cast<off_t>(args.Size(1))));
}

napi_value Shrink(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const SharedBlock* block = Find(args);
  return args.Return(block == nullptr ? -EBADF : block->Shrink());
}

// detach(arrayBuffer)
napi_value Detach(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  napi_detach_arraybuffer(env, args.Value(0));
  return nullptr;
}

napi_value Close(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  if (Find(args) != nullptr) args.addon().blocks().Remove(args.Int(0));
  return nullptr;
}

}  // namespace

void ExportSharedMemoryApi(napi_env env, napi_value exports) {
  napi_value object = ExportObject(env, exports, "memory");
  const NamedFunction functions[] = {
      {"create", Create},
      {"open", Open},
      {"adopt", Adopt},
      {"unlink", Unlink},
      {"size", Size},
      {"fd", Fileno},
      {"view", View},
      {"viewShared", ViewShared},
      {"read", Read},
      {"write", Write},
      {"detach", Detach},
      {"close", Close},
      {"createGrowing", CreateGrowing},
      {"readAt", ReadAt},
      {"writeAt", WriteAt},
      {"shrink", Shrink},
  };
  ExportFunctions(env, object, functions);
}

}  // namespace mp
