// SPDX-License-Identifier: MIT
#include "poller.h"

#include <cstdlib>

namespace mp {

int Poller::Open(uv_loop_t* loop, Callback callback, void* context) {
  if (watch_ != nullptr) return -EALREADY;
  const int opened = set_.Open();
  if (opened < 0) return opened;
  auto* handle = static_cast<uv_poll_t*>(std::calloc(1, uv_handle_size(UV_POLL)));
  if (handle == nullptr) return -ENOMEM;
  const int status = uv_poll_init(loop, handle, set_.fd());
  if (status < 0) {
    std::free(handle);
    return status;
  }
  watch_ = new Watch{handle, callback, context, nullptr, nullptr};
  handle->data = watch_;
  uv_unref(reinterpret_cast<uv_handle_t*>(handle));
  return uv_poll_start(handle, UV_READABLE, OnReady);
}

void Poller::SetRef(bool on) noexcept {
  if (watch_ == nullptr) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(watch_->handle);
  if (on) {
    uv_ref(handle);
  } else {
    uv_unref(handle);
  }
}

void Poller::Close(void (*closed)(void* context), void* context) {
  if (watch_ == nullptr) {
    closed(context);
    return;
  }
  Watch* watch = watch_;
  watch_ = nullptr;
  watch->closed = closed;
  watch->closed_context = context;
  uv_close(reinterpret_cast<uv_handle_t*>(watch->handle), OnClosed);
}

// A status below zero means that the set itself failed. Taking from the set then reports nothing,
// so the callback is made all the same: the attempts that follow show what is wrong.
void Poller::OnReady(uv_poll_t* handle, int, int) noexcept {
  auto* watch = static_cast<Watch*>(handle->data);
  watch->callback(watch->context);
}

void Poller::OnClosed(uv_handle_t* handle) noexcept {
  auto* watch = static_cast<Watch*>(handle->data);
  std::free(watch->handle);
  watch->closed(watch->closed_context);
  delete watch;
}

}  // namespace mp
