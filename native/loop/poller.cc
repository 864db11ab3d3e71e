// SPDX-License-Identifier: MIT
#include "loop/poller.h"

#include <poll.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "os/sys.h"

namespace mp {

namespace {

// A libuv handle that does not keep the loop alive.
template <typename Handle, typename Init>
int MakeHandle(Handle** handle, uv_handle_type type, Init init) {
  auto* made = static_cast<Handle*>(std::calloc(1, uv_handle_size(type)));
  if (made == nullptr) return -ENOMEM;
  const int status = init(made);
  if (status < 0) {
    std::free(made);
    return status;
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(made));
  *handle = made;
  return 0;
}

// One poll of the set in so many also asks for everything else that the loop waits for.
constexpr int kPollOthersEvery = 8;

}  // namespace

int Poller::Open(uv_loop_t* loop, Callback callback, void* context) {
  if (watch_ != nullptr) return -EALREADY;
  const int opened = set_.Open();
  if (opened < 0) return opened;
  uv_poll_t* handle = nullptr;
  const int status = MakeHandle(
      &handle, UV_POLL, [&](uv_poll_t* made) { return uv_poll_init(loop, made, set_.fd()); });
  if (status < 0) {
    set_.Close();
    return status;
  }
  watch_ = new Watch;
  watch_->poller = this;
  watch_->handle = handle;
  watch_->callback = callback;
  watch_->context = context;
  handle->data = watch_;
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

int Poller::SetSpin(int64_t ns) {
  if (watch_ == nullptr) return -EBADF;
  watch_->spin_ns = ns;
  watch_->spinner.reset();
  if (ns <= 0) {
    if (watch_->prepare != nullptr) uv_prepare_stop(watch_->prepare);
    if (watch_->idle != nullptr) uv_idle_stop(watch_->idle);
    return 0;
  }
  uv_loop_t* loop = watch_->handle->loop;
  if (watch_->idle == nullptr) {
    const int status = MakeHandle(&watch_->idle, UV_IDLE,
                                  [&](uv_idle_t* made) { return uv_idle_init(loop, made); });
    if (status < 0) return status;
    watch_->idle->data = watch_;
  }
  if (watch_->prepare == nullptr) {
    const int status = MakeHandle(&watch_->prepare, UV_PREPARE,
                                  [&](uv_prepare_t* made) { return uv_prepare_init(loop, made); });
    if (status < 0) return status;
    watch_->prepare->data = watch_;
  }
  return uv_prepare_start(watch_->prepare, OnPrepare);
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
  uv_handle_t* const handles[] = {reinterpret_cast<uv_handle_t*>(watch->handle),
                                  reinterpret_cast<uv_handle_t*>(watch->prepare),
                                  reinterpret_cast<uv_handle_t*>(watch->idle)};
  for (uv_handle_t* handle : handles) {
    if (handle == nullptr) continue;
    watch->open_handles++;
    uv_close(handle, OnClosed);
  }
}

// A status below zero means that the set itself failed. The callback is made even then: the
// attempts that follow show what is wrong.
void Poller::OnReady(uv_poll_t* handle, int, int) noexcept {
  auto* watch = static_cast<Watch*>(handle->data);
  if (watch->spinner) watch->spinner->Slept();
  watch->spinner.reset();
  watch->callback(watch->context);
}

void Poller::OnPrepare(uv_prepare_t* handle) noexcept {
  auto* watch = static_cast<Watch*>(handle->data);
  EventSet& set = watch->poller->set_;
  uv_idle_stop(watch->idle);
  // Something other than the set ended the sleep.
  if (watch->spinner) watch->spinner->Failed();
  watch->spinner.reset();
  // Polling replaces a sleep, so it is omitted while the loop has something else to do.
  const int timeout = set.size() > 0 ? uv_backend_timeout(handle->loop) : 0;
  if (timeout == 0) return;
  watch->spinner.emplace(watch->spin_ns, &watch->history);
  if (!watch->spinner->enabled()) {
    watch->spinner.reset();
    return;
  }
  int polls = 0;
  const int64_t found =
      watch->spinner->Spin(Deadline::After(timeout < 0 ? INFINITY : timeout), [&]() -> int64_t {
        const bool others =
            ++polls % kPollOthersEvery == 0 && sys::IsReady(uv_backend_fd(handle->loop), POLLIN);
        Event event;
        if (set.Collect(&event, 1) != 0) return 1;
        return others ? -ECANCELED : -EAGAIN;
      });
  if (found == -EAGAIN) return;
  const bool met = found != -ECANCELED;
  if (!met) watch->spinner->Failed();
  watch->spinner.reset();
  if (!met) return;
  // After the callback the loop handles everything else it waits for, without sleeping, and comes
  // back here.
  uv_idle_start(watch->idle, [](uv_idle_t*) {});
  watch->callback(watch->context);
}

void Poller::OnClosed(uv_handle_t* handle) noexcept {
  auto* watch = static_cast<Watch*>(handle->data);
  std::free(handle);
  if (--watch->open_handles > 0) return;
  watch->closed(watch->closed_context);
  delete watch;
}

}  // namespace mp
