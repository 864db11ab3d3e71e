// SPDX-License-Identifier: MIT
//
// An event loop waits for many descriptors without a change of their flags: they are in a private
// event set, and libuv watches only that set. (uv_poll on the descriptors themselves would make
// them non-blocking for every process that has them.)
#pragma once

#include <uv.h>

#include <cstdint>
#include <optional>

#include "loop/event_set.h"
#include "util/spinner.h"

namespace mp {

class Poller {
 public:
  // Called on the loop's thread whenever something in the set is ready.
  using Callback = void (*)(void* context) noexcept;

  // 0 or -errno. The loop is not kept alive by this poller until SetRef(true).
  int Open(uv_loop_t* loop, Callback callback, void* context);

  EventSet& set() noexcept { return set_; }

  void SetRef(bool on) noexcept;

  // How long the loop polls the set each time before it would sleep; 0 (the default) turns that
  // off. A peer that answers within microseconds is then met without a sleep. Polling ends once
  // something else that the loop waits for is ready, and is shorter after it was in vain. 0 or
  // -errno.
  int SetSpin(int64_t ns);

  // Closes the handles and calls `closed` when libuv has done so, which an environment must wait
  // for before it ends. Calls it at once if nothing was opened.
  void Close(void (*closed)(void* context), void* context);

 private:
  // What libuv keeps a pointer to. The size of a libuv handle is known only at run time, so handles
  // are allocated with the size that libuv states.
  struct Watch {
    Poller* poller = nullptr;  // Until Close().
    uv_poll_t* handle = nullptr;
    uv_prepare_t* prepare = nullptr;  // Runs before the loop sleeps. Made by SetSpin().
    uv_idle_t* idle = nullptr;        // Keeps the loop from sleeping while active. Likewise.
    int64_t spin_ns = 0;
    SpinHistory history;
    std::optional<Spinner> spinner;  // Of the last polling, while the sleep after it lasts.
    Callback callback = nullptr;
    void* context = nullptr;
    int open_handles = 0;
    void (*closed)(void*) = nullptr;
    void* closed_context = nullptr;
  };

  static void OnReady(uv_poll_t* handle, int status, int events) noexcept;
  static void OnPrepare(uv_prepare_t* handle) noexcept;
  static void OnClosed(uv_handle_t* handle) noexcept;

  EventSet set_;
  Watch* watch_ = nullptr;  // Freed by OnClosed.
};

}  // namespace mp
