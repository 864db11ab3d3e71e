// SPDX-License-Identifier: MIT
#include <sys/event.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "loop/event_set.h"
#include "os/sys.h"

namespace mp {

int EventSet::Open() noexcept {
  const int fd = ::kqueue();
  if (fd < 0) return -errno;
  set_.Reset(fd);
  return sys::SetCloseOnExec(fd);
}

// kqueue watches each direction separately. The filter of a direction that is not wanted is
// deleted, which fails harmlessly if there is none.
int EventSet::Arm(int fd, uint64_t id, uint32_t interest, bool known) noexcept {
  void* data = reinterpret_cast<void*>(static_cast<uintptr_t>(id));
  for (const auto& [bit, filter] : {std::pair<uint32_t, int16_t>{kRead, EVFILT_READ},
                                    std::pair<uint32_t, int16_t>{kWrite, EVFILT_WRITE}}) {
    struct kevent change;
    const bool wanted = (interest & bit) != 0;
    EV_SET(&change, fd, filter, wanted ? EV_ADD : EV_DELETE, 0, 0, data);
    const int status = sys::RetryOnInterrupt(
        [&] { return ::kevent(set_.get(), &change, 1, nullptr, 0, nullptr); });
    if (status < 0 && wanted) return status;
  }
  if (!known) size_++;
  return 0;
}

void EventSet::Remove(int fd) noexcept {
  for (const int16_t filter : {EVFILT_READ, EVFILT_WRITE}) {
    struct kevent change;
    EV_SET(&change, fd, filter, EV_DELETE, 0, 0, nullptr);
    ::kevent(set_.get(), &change, 1, nullptr, 0, nullptr);
  }
  size_--;
}

int EventSet::Collect(Event* events, int max) noexcept {
  constexpr int kBatch = 64;
  struct kevent ready[kBatch];
  const timespec now{};
  const int count = sys::RetryOnInterrupt(
      [&] { return ::kevent(set_.get(), nullptr, 0, ready, std::min(max, kBatch), &now); });
  for (int i = 0; i < count; i++) {
    events[i].id = reinterpret_cast<uintptr_t>(ready[i].udata);
    events[i].interest = ready[i].filter == EVFILT_WRITE ? kWrite : kRead;
  }
  return count;
}

}  // namespace mp
