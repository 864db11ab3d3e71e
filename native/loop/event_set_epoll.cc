// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include <algorithm>

#include "loop/event_set.h"
#include "os/sys.h"

namespace mp {

int EventSet::Open() noexcept {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return -errno;
  set_.Reset(fd);
  return 0;
}

int EventSet::Arm(int fd, uint64_t id, uint32_t interest, bool known) noexcept {
  epoll_event event{};
  if ((interest & kRead) != 0) event.events |= EPOLLIN | EPOLLRDHUP;
  if ((interest & kWrite) != 0) event.events |= EPOLLOUT;
  event.data.u64 = id;
  const int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  const int status = sys::RetryOnInterrupt([&] { return ::epoll_ctl(set_.get(), op, fd, &event); });
  if (status >= 0 && !known) size_++;
  return status;
}

void EventSet::Remove(int fd) noexcept {
  ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, nullptr);
  size_--;
}

int EventSet::Collect(Event* events, int max) noexcept {
  constexpr int kBatch = 64;
  epoll_event ready[kBatch];
  const int count = sys::RetryOnInterrupt(
      [&] { return ::epoll_wait(set_.get(), ready, std::min(max, kBatch), 0); });
  for (int i = 0; i < count; i++) {
    const uint32_t flags = ready[i].events;
    events[i].id = ready[i].data.u64;
    events[i].interest = 0;
    if ((flags & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) events[i].interest |= kRead;
    if ((flags & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) events[i].interest |= kWrite;
  }
  return count;
}

}  // namespace mp
