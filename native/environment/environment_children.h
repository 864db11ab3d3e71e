// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <map>

#include "os/unique_fd.h"

namespace mp {

// The children that one JavaScript environment has started and not yet seen end. libuv reaps them
// for as long as the environment lives. Used on the environment's own thread.
class EnvironmentChildren {
 public:
  // `channel`, if there is one, stays open until the child has ended.
  void Add(pid_t pid, UniqueFd channel) { all_.insert_or_assign(pid, std::move(channel)); }
  void Remove(pid_t pid) { all_.erase(pid); }

  // For the end of a worker, which is not the end of its parent to a child: each child keeps its
  // channel, and is waited for by a thread that sleeps until then, so that no zombie stays.
  void OutliveEnvironment();

 private:
  std::map<pid_t, UniqueFd> all_;
};

}  // namespace mp
