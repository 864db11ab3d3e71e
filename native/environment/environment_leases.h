// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "leases/lease_member.h"
#include "util/id_table.h"

namespace mp {

// The queues with leases that one JavaScript environment has open, by small integers. Used on the
// environment's own thread.
class EnvironmentLeases {
 public:
  struct OpenQueue {
    std::unique_ptr<LeaseMember> member;  // Null once closed.
    // Kept when the queue is closed: its size can still be asked for.
    std::shared_ptr<LeaseBlock> block;
    UniqueFd fd;  // Of the block, to be passed on. Empty once closed.
  };

  ~EnvironmentLeases() { CloseAll(); }

  // The descriptor of the block belongs to the queue, unless this fails.
  int32_t Add(int fd, LeasePipe ready, LeasePipe freed, uint32_t thread);
  OpenQueue* Find(int32_t id) noexcept { return all_.Find(id); }
  // Ends this member: what it has leased is handed out again.
  void Close(int32_t id);
  // The id is no longer used. Implies Close().
  void Release(int32_t id);

  // For the end of the environment.
  void CloseAll() { all_.Clear(); }

 private:
  IdTable<OpenQueue> all_;
};

}  // namespace mp
