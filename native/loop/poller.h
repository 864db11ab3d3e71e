// SPDX-License-Identifier: MIT
//
// Lets an event loop wait for many descriptors without touching their flags: they are in a private
// event set, and libuv watches that set alone. (uv_poll on the descriptors themselves would make
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

  // For how long the loop, each time before it would sleep, looks at the set again and again; 0
  // (the default) for not at all. A peer that answers within microseconds is then met without the
  // cost of a sleep. It looks no longer once something else is ready that the loop waits for, and
  // for shorter times when looking has not paid off. 0 or -errno.
  int SetSpin(int64_t ns);

  // Closes the handle and calls `closed` when libuv is done with it, as an environment must wait
  // for before it ends. Calls it at once if nothing was opened.
  void Close(void (*closed)(void* context), void* context);

 private:
  // What libuv keeps a pointer to. Its handle's size is libuv's secret at run time, so it is
  // allocated with the size that libuv states.
  struct Watch {
    Poller* poller = nullptr;  // Until Close().
    uv_poll_t* handle = nullptr;
    uv_prepare_t* prepare = nullptr;  // Runs before the loop sleeps; made by SetSpin,
    uv_idle_t* idle = nullptr;        // with this, which keeps it from sleeping while active.
    int64_t spin_ns = 0;
    SpinHistory history;
    std::optional<Spinner> spinner;  // Of the last look, if a sleep had to follow.
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
