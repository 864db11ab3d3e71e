// SPDX-License-Identifier: MIT
//
// The state of the addon in one JavaScript environment, that is, the main thread or a worker:
// endpoints, semaphores, queues and shared memory by small integers, children, and the poller.
// Everything here runs on the environment's own thread, except CancelAllBlockedCalls().
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "environment/environment_children.h"
#include "environment/environment_leases.h"
#include "environment/environment_queues.h"
#include "environment/environment_semaphores.h"
#include "io/endpoint.h"
#include "io/send_slab.h"
#include "loop/poller.h"
#include "os/wake.h"
#include "shared_memory/shared_block.h"
#include "util/id_table.h"

namespace mp {

class AddonEnv {
 public:
  explicit AddonEnv(napi_env env);
  ~AddonEnv();
  AddonEnv(const AddonEnv&) = delete;
  AddonEnv& operator=(const AddonEnv&) = delete;

  static AddonEnv* From(napi_env env) noexcept;

  // The I/O method that new endpoints try first.
  IoMethod first_method() const noexcept { return first_method_; }
  void set_first_method(IoMethod method) noexcept { first_method_ = method; }

  // Starts the poller. `on_ready` is called with the number of events, after they were written to
  // `events` as pairs (id, interest). 0 or -errno.
  int Start(bool is_main_thread, napi_value on_ready, napi_value events);

  // What an id stands for: an endpoint, or a descriptor that is only watched.
  struct Pollable {
    std::shared_ptr<Endpoint> endpoint;
    UniqueFd watched;
    uint32_t interest = 0;  // What it is in the event set for; 0 when it is not in the set.

    int fd() const noexcept { return endpoint ? endpoint->fd() : watched.get(); }
  };

  // Returns the new id, which holds one reference to the endpoint until Release().
  int32_t Add(std::shared_ptr<Endpoint> endpoint);
  int32_t AddWatched(UniqueFd fd);

  // nullptr for an id that is not (or no longer) in use.
  Pollable* Find(int32_t id) noexcept { return pollables_.Find(id); }
  Endpoint* FindEndpoint(int32_t id) noexcept;

  void Release(int32_t id) noexcept;
  // Interest 0 takes the id out of the event set.
  int Arm(int32_t id, uint32_t interest) noexcept;
  void SetRef(bool on) noexcept { poller_.SetRef(on); }
  int SetSpin(int64_t ns) { return poller_.SetSpin(ns); }

  // Memory that JavaScript keeps for as long as the environment: its number. It is not moved.
  int32_t AddSlab(napi_value memory, uint8_t* data, size_t size);
  SendSlab* FindSlab(int32_t number) noexcept;

  EnvironmentSemaphores& semaphores() noexcept { return semaphores_; }
  EnvironmentChildren& children() noexcept { return children_; }
  EnvironmentQueues& queues() noexcept { return queues_; }
  EnvironmentLeases& leases() noexcept { return leases_; }
  IdTable<std::unique_ptr<SharedBlock>>& blocks() noexcept { return blocks_; }

  bool is_main_thread() const noexcept { return is_main_thread_; }
  Wake& cancel() noexcept { return cancel_; }
  // Whether CancelAllBlockedCalls was called for this environment.
  bool IsCanceled() const noexcept { return cancel_.signaled(); }

  // Whether JavaScript can no longer run here. Only an attempt to call a function shows that a
  // worker is being terminated.
  bool IsTerminating() noexcept;

  // Makes the blocked calls of all other environments return. For the end of the process, which a
  // worker in a blocked call of this addon would delay. Any thread.
  static void CancelAllBlockedCalls(const AddonEnv* except);

 private:
  static void OnReady(void* context) noexcept;
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* context);
  void AbandonSends() noexcept;
  void Forget(int32_t id, Pollable& pollable) noexcept;
  int CollectReady(Event* events, int max) noexcept;
  void DispatchReady();

  napi_env env_;
  napi_ref on_ready_ = nullptr;
  napi_ref events_ = nullptr;
  napi_ref probe_ = nullptr;
  napi_async_context async_context_ = nullptr;
  Poller poller_;
  Wake cancel_;
  IdTable<Pollable> pollables_;
  EnvironmentSemaphores semaphores_;
  EnvironmentChildren children_;
  EnvironmentQueues queues_;
  EnvironmentLeases leases_;
  IdTable<std::unique_ptr<SharedBlock>> blocks_;
  struct Slab {
    SendSlab slab;
    napi_ref memory;
  };
  std::vector<std::unique_ptr<Slab>> slabs_;
  int32_t watched_xor_ = 0;  // All ids in the event set combined: the id itself if there is one.
  IoMethod first_method_ = IoMethod::kNoWait;
  bool is_main_thread_ = true;
};

}  // namespace mp
