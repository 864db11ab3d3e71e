// SPDX-License-Identifier: MIT
#include "queue/queue_state.h"

#include <poll.h>

#include <chrono>
#include <thread>

#include "os/sys.h"

namespace mp {

uint32_t QueueState::Flags() noexcept {
  uint32_t flags = own_.load(std::memory_order_relaxed);
  if (record_ != nullptr) return flags | HolderTable::Flags(record_, number_);
  // Without a record only the pipe tells of a change, and not of which one.
  if (flags == 0 && IsPipeReadable()) {
    flags = kIsShutDown;
    own_.store(flags, std::memory_order_relaxed);
  }
  return flags;
}

void QueueState::Add(uint32_t flags) noexcept {
  own_.fetch_or(flags);
  if (record_ != nullptr) HolderTable::AddFlags(record_, number_, flags);
  if (!pipe_.writer || IsPipeReadable()) return;
  // No member ever reads the byte, so every member sees it, now and later. Without it the members
  // that wait would do so for ever, so a lack of memory must not keep it back.
  uint8_t byte = 0;
  const iovec iov{&byte, 1};
  while (sys::IsShortage(pipe_.writer->sink().Write(&iov, 1))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool QueueState::IsPipeReadable() const noexcept {
  return pipe_.reader && sys::IsReady(pipe_.reader->fd(), POLLIN);
}

}  // namespace mp
