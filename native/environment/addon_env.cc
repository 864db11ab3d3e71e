// SPDX-License-Identifier: MIT
#include "environment/addon_env.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "io/flush_thread.h"

namespace mp {

namespace {

// Leaked on purpose: environments of workers may outlive static destructors.
struct Environments {
  std::mutex mutex;
  std::vector<AddonEnv*> all;
};

Environments& AllEnvironments() {
  static auto& environments = *new Environments;
  return environments;
}

}  // namespace

AddonEnv::AddonEnv(napi_env env) : env_(env) {
  const std::lock_guard lock(AllEnvironments().mutex);
  AllEnvironments().all.push_back(this);
}

AddonEnv::~AddonEnv() {
  queues_.CloseAll();
  leases_.CloseAll();
  semaphores_.CloseAll(!is_main_thread_);
  if (!is_main_thread_) children_.OutliveEnvironment();
  const std::lock_guard lock(AllEnvironments().mutex);
  std::erase(AllEnvironments().all, this);
  if (!AllEnvironments().all.empty()) return;
  // The process may live on without the addon.
  EnvironmentSemaphores::EndOfProcess();
}

AddonEnv* AddonEnv::From(napi_env env) noexcept {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<AddonEnv*>(data);
}

int AddonEnv::Start(bool is_main_thread, napi_value on_ready, napi_value events) {
  if (async_context_ != nullptr) return -EALREADY;
  is_main_thread_ = is_main_thread;
  // Steps that can fail come first, so that a later attempt finds nothing half done.
  {
    // CancelAllBlockedCalls() of another thread may be using it.
    const std::lock_guard lock(AllEnvironments().mutex);
    const int cancellable = cancel_.Open();
    if (cancellable < 0) return cancellable;
  }
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return -ENOTSUP;
  const int polling = poller_.Open(loop, OnReady, this);
  if (polling < 0) {
    const std::lock_guard lock(AllEnvironments().mutex);
    cancel_.Close();
    return polling;
  }
  // libuv's handles can only be closed asynchronously, so an ordinary hook would come too early.
  napi_add_async_cleanup_hook(env_, OnCleanup, this, nullptr);
  napi_create_reference(env_, on_ready, 1, &on_ready_);
  napi_create_reference(env_, events, 1, &events_);
  napi_value name = nullptr;
  napi_create_string_utf8(env_, "node-multiprocessing", NAPI_AUTO_LENGTH, &name);
  napi_value resource = nullptr;
  napi_create_object(env_, &resource);
  napi_async_init(env_, resource, name, &async_context_);
  napi_value probe = nullptr;
  napi_create_function(
      env_, "probe", NAPI_AUTO_LENGTH,
      [](napi_env, napi_callback_info) -> napi_value { return nullptr; }, nullptr, &probe);
  napi_create_reference(env_, probe, 1, &probe_);
  return 0;
}

void AddonEnv::OnCleanup(napi_async_cleanup_hook_handle handle, void* context) {
  auto* self = static_cast<AddonEnv*>(context);
  self->AbandonSends();
  // Every descriptor leaves the event set before it is closed.
  self->pollables_.ForEach([&](const Pollable& pollable) {
    if (pollable.interest != 0) self->poller_.set().Remove(pollable.fd());
  });
  self->pollables_.Clear();
  for (napi_ref reference : {self->on_ready_, self->events_, self->probe_}) {
    napi_delete_reference(self->env_, reference);
  }
  napi_async_destroy(self->env_, self->async_context_);
  self->poller_.Close(
      [](void* hook) {
        napi_remove_async_cleanup_hook(static_cast<napi_async_cleanup_hook_handle>(hook));
      },
      handle);
}

// What was sent and is here is written, as far as there is room. What was accepted beyond that
// outlives a worker; at the end of the process, lib/ has done what can be done.
void AddonEnv::AbandonSends() noexcept {
  pollables_.ForEach([&](const Pollable& pollable) {
    const std::shared_ptr<Endpoint>& endpoint = pollable.endpoint;
    if (!endpoint) return;
    Outbox& outbox = endpoint->outbox();
    if (outbox.Abandon(endpoint->sink()) && !is_main_thread_)
      FlushThread::Adopt(endpoint, outbox.exit_limit());
    else
      FlushThread::Forget(*endpoint);
  });
  for (const auto& slab : slabs_) napi_delete_reference(env_, slab->memory);
  slabs_.clear();
}

int32_t AddonEnv::AddSlab(napi_value memory, uint8_t* data, size_t size) {
  auto slab = std::make_unique<Slab>(Slab{SendSlab(data, size), nullptr});
  if (napi_create_reference(env_, memory, 1, &slab->memory) != napi_ok) return -ENOMEM;
  slabs_.push_back(std::move(slab));
  return static_cast<int32_t>(slabs_.size() - 1);
}

SendSlab* AddonEnv::FindSlab(int32_t number) noexcept {
  const auto index = static_cast<size_t>(number);
  return number >= 0 && index < slabs_.size() ? &slabs_[index]->slab : nullptr;
}

int32_t AddonEnv::Add(std::shared_ptr<Endpoint> endpoint) {
  Pollable pollable;
  pollable.endpoint = std::move(endpoint);
  return pollables_.Add(std::move(pollable));
}

int32_t AddonEnv::AddWatched(UniqueFd fd) {
  Pollable pollable;
  pollable.watched = std::move(fd);
  return pollables_.Add(std::move(pollable));
}

Endpoint* AddonEnv::FindEndpoint(int32_t id) noexcept {
  Pollable* pollable = Find(id);
  return pollable != nullptr ? pollable->endpoint.get() : nullptr;
}

void AddonEnv::Release(int32_t id) noexcept {
  Pollable* pollable = Find(id);
  if (pollable == nullptr) return;
  Forget(id, *pollable);
  if (pollable->endpoint) FlushThread::Forget(*pollable->endpoint);
  pollables_.Remove(id);
}

int AddonEnv::Arm(int32_t id, uint32_t interest) noexcept {
  Pollable* pollable = Find(id);
  if (pollable == nullptr) return -EBADF;
  if (interest == 0) {
    Forget(id, *pollable);
    return 0;
  }
  const bool known = pollable->interest != 0;
  const int status = poller_.set().Arm(pollable->fd(), static_cast<uint64_t>(id), interest, known);
  if (status < 0) return status;
  pollable->interest = interest;
  if (!known) watched_xor_ ^= id;
  return 0;
}

void AddonEnv::Forget(int32_t id, Pollable& pollable) noexcept {
  if (pollable.interest == 0) return;
  poller_.set().Remove(pollable.fd());
  pollable.interest = 0;
  watched_xor_ ^= id;
}

// With a single id in the set no system call is needed: that id has made the set ready. An attempt
// that turns out to be impossible is harmless.
int AddonEnv::CollectReady(Event* events, int max) noexcept {
  if (poller_.set().size() != 1) return poller_.set().Collect(events, max);
  const Pollable* pollable = Find(watched_xor_);
  if (pollable == nullptr) return 0;
  events[0] = {static_cast<uint64_t>(watched_xor_), pollable->interest};
  return 1;
}

void AddonEnv::OnReady(void* context) noexcept { static_cast<AddonEnv*>(context)->DispatchReady(); }

// Gives the ready ids to JavaScript in one call. lib/ catches what its callbacks throw. An
// exception that arrives here all the same is a defect, and is treated as an uncaught one.
void AddonEnv::DispatchReady() {
  Event ready[64];
  const int count = CollectReady(ready, 64);
  if (count <= 0) return;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value events = nullptr;
  napi_value on_ready = nullptr;
  napi_value receiver = nullptr;
  napi_value argument = nullptr;
  int32_t* pairs = nullptr;
  size_t length = 0;
  napi_get_reference_value(env_, events_, &events);
  napi_get_typedarray_info(env_, events, nullptr, &length, reinterpret_cast<void**>(&pairs),
                           nullptr, nullptr);
  const int fitting = std::min(count, static_cast<int>(length / 2));
  for (int i = 0; i < fitting; i++) {
    pairs[2 * i] = static_cast<int32_t>(ready[i].id);
    pairs[2 * i + 1] = static_cast<int32_t>(ready[i].interest);
  }
  napi_get_reference_value(env_, on_ready_, &on_ready);
  napi_get_global(env_, &receiver);
  napi_create_int32(env_, fitting, &argument);
  const napi_status status =
      napi_make_callback(env_, async_context_, receiver, on_ready, 1, &argument, nullptr);
  if (status == napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
}

bool AddonEnv::IsTerminating() noexcept {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return true;
  napi_value probe = nullptr;
  napi_value receiver = nullptr;
  napi_get_reference_value(env_, probe_, &probe);
  napi_get_global(env_, &receiver);
  const napi_status status = napi_call_function(env_, receiver, probe, 0, nullptr, nullptr);
  napi_close_handle_scope(env_, scope);
  return status != napi_ok;
}

void AddonEnv::CancelAllBlockedCalls(const AddonEnv* except) {
  const std::lock_guard lock(AllEnvironments().mutex);
  for (AddonEnv* environment : AllEnvironments().all) {
    if (environment != except) environment->cancel_.Signal();
  }
}

}  // namespace mp
