// SPDX-License-Identifier: MIT
#include "queue/queue_state.h"

#include <poll.h>

#include "os/sys.h"

namespace mp {

uint32_t QueueState::Flags() noexcept {
  uint32_t flags = own_.load(std::memory_order_relaxed);
  if (slot_ != nullptr) return flags | HolderTable::Flags(slot_, number_);
  // Without a place in the table the level alone tells, and cannot tell more than that it is up.
  if (flags == 0 && IsLevelUp()) {
    flags = kIsShutDown;
    own_.store(flags, std::memory_order_relaxed);
  }
  return flags;
}

void QueueState::Add(uint32_t flags) noexcept {
  own_.fetch_or(flags);
  if (slot_ != nullptr) HolderTable::AddFlags(slot_, number_, flags);
  if (!level_.writer || IsLevelUp()) return;
  // Nobody ever reads it, so that it is seen by everybody and for good.
  uint8_t byte = 0;
  const iovec iov{&byte, 1};
  (void)level_.writer->sink().Write(&iov, 1);
}

bool QueueState::IsLevelUp() const noexcept {
  return level_.reader && sys::IsReady(level_.reader->fd(), POLLIN);
}

}  // namespace mp
