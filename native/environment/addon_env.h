// SPDX-License-Identifier: MIT
//
// What one JavaScript environment (the main thread or a worker) has of this addon: its endpoints,
// semaphores and queues, by small integers, its children and its poller. Everything here runs on
// the environment's own thread, except CancelAllBlockedCalls.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "environment/environment_queues.h"
#include "environment/environment_semaphores.h"
#include "io/endpoint.h"
#include "loop/poller.h"
#include "os/wake.h"
#include "environment/environment_children.h"
#include "util/id_table.h"

namespace mp {

class AddonEnv {
 public:
  explicit AddonEnv(napi_env env);
  ~AddonEnv();
  AddonEnv(const AddonEnv&) = delete;
  AddonEnv& operator=(const AddonEnv&) = delete;

  static AddonEnv* From(napi_env env) noexcept;

  // Starts the poller. `on_ready` is called with the number of events, which were written to
  // `events` as pairs (id, interest). 0 or -errno.
  int Start(bool is_main_thread, napi_value on_ready, napi_value events);

  // What an id stands for: an endpoint, or a descriptor that is only watched.
  struct Slot {
    std::shared_ptr<Endpoint> endpoint;
    UniqueFd watched;
    uint32_t interest = 0;  // What it is in the event set for; 0 when it is not.

    int fd() const noexcept { return endpoint ? endpoint->fd() : watched.get(); }
  };

  // Returns the new id, which holds one reference to the endpoint until Release().
  int32_t Add(std::shared_ptr<Endpoint> endpoint);
  int32_t AddWatched(UniqueFd fd);

  // nullptr for an id that is not (or no longer) in use.
  Slot* Find(int32_t id) noexcept { return slots_.Find(id); }
  Endpoint* FindEndpoint(int32_t id) noexcept;

  void Release(int32_t id) noexcept;
  // Interest 0 takes the id out of the event set.
  int Arm(int32_t id, uint32_t interest) noexcept;
  void SetRef(bool on) noexcept { poller_.SetRef(on); }
  int SetSpin(int64_t ns) { return poller_.SetSpin(ns); }

  EnvironmentSemaphores& semaphores() noexcept { return semaphores_; }
  EnvironmentChildren& children() noexcept { return children_; }
  EnvironmentQueues& queues() noexcept { return queues_; }

  bool is_main_thread() const noexcept { return is_main_thread_; }
  Wake& cancel() noexcept { return cancel_; }
  // Whether CancelAllBlockedCalls was called for this environment.
  bool IsCanceled() const noexcept { return cancel_.signaled(); }

  // Whether JavaScript can still run here. A worker that is being terminated cannot, and only an
  // attempt to call a function shows it.
  bool IsTerminating() noexcept;

  // Makes the blocked calls of all other environments return. For the end of the process: a worker
  // blocked in a call of ours would hold it up. Any thread.
  static void CancelAllBlockedCalls(const AddonEnv* except);

 private:
  static void OnReady(void* context) noexcept;
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* context);
  void Forget(int32_t id, Slot& slot) noexcept;
  int TakeReady(Event* events, int most) noexcept;
  void DispatchReady();

  napi_env env_;
  napi_ref on_ready_ = nullptr;
  napi_ref events_ = nullptr;
  napi_ref probe_ = nullptr;
  napi_async_context async_context_ = nullptr;
  Poller poller_;
  Wake cancel_;
  IdTable<Slot> slots_;
  EnvironmentSemaphores semaphores_;
  EnvironmentChildren children_;
  EnvironmentQueues queues_;
  int32_t watched_xor_ = 0;  // All ids in the event set combined: the id itself when there is one.
  bool is_main_thread_ = true;
};

}  // namespace mp
