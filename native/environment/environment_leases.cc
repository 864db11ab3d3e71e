// SPDX-License-Identifier: MIT
#include "environment/environment_leases.h"

#include <utility>

namespace mp {

int32_t EnvironmentLeases::Add(int fd, LeasePipe ready, LeasePipe freed, uint32_t thread) {
  OpenQueue open;
  int status = LeaseBlock::Open(fd, &open.block);
  if (status < 0) return status;
  status = LeaseMember::Join(open.block, std::move(ready), std::move(freed), thread, &open.member);
  if (status < 0) return status;
  const int32_t id = all_.Add(std::move(open));
  if (id >= 0) all_.Find(id)->fd.Reset(fd);
  return id;
}

void EnvironmentLeases::Close(int32_t id) {
  OpenQueue* open = all_.Find(id);
  if (open == nullptr) return;
  open->member.reset();
  open->fd.Reset();
}

void EnvironmentLeases::Release(int32_t id) {
  if (all_.Find(id) != nullptr) all_.Remove(id);
}

}  // namespace mp
