// SPDX-License-Identifier: MIT
//
// Lets an event loop wait for many descriptors without touching their flags: they are in a private
// event set, and libuv watches that set alone. (uv_poll on the descriptors themselves would make
// them non-blocking for every process that has them.)
#pragma once

#include <uv.h>

#include "event_set.h"

namespace mp {

class Poller {
 public:
  // Called on the loop's thread whenever something in the set is ready.
  using Callback = void (*)(void* context) noexcept;

  // 0 or -errno. The loop is not kept alive by this poller until SetRef(true).
  int Open(uv_loop_t* loop, Callback callback, void* context);

  EventSet& set() noexcept { return set_; }

  void SetRef(bool on) noexcept;

  // Closes the handle and calls `closed` when libuv is done with it, as an environment must wait
  // for before it ends. Calls it at once if nothing was opened.
  void Close(void (*closed)(void* context), void* context);

 private:
  // What libuv keeps a pointer to. Its handle's size is libuv's secret at run time, so it is
  // allocated with the size that libuv states.
  struct Watch {
    uv_poll_t* handle = nullptr;
    Callback callback = nullptr;
    void* context = nullptr;
    void (*closed)(void*) = nullptr;
    void* closed_context = nullptr;
  };

  static void OnReady(uv_poll_t* handle, int status, int events) noexcept;
  static void OnClosed(uv_handle_t* handle) noexcept;

  EventSet set_;
  Watch* watch_ = nullptr;  // Freed by OnClosed.
};

}  // namespace mp
