// SPDX-License-Identifier: MIT
//
// What a process needs to know of the children it has started, and a child of its parent. Starting
// processes and reaping them is libuv's business; nothing here takes that away from it.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/unique_fd.h"

namespace mp {

// How a child of this process has ended: its exit code, or kKilledBy + the number of the signal
// that ended it. -EAGAIN while it runs, -ECHILD once somebody has reaped it. It is not reaped.
constexpr int kKilledBy = 256;
int EndOfChild(pid_t pid) noexcept;

// Ends this process when the other end of `channel` has been closed everywhere: when the parent has
// ended, however it did. SIGTERM comes first; who has not ended within the grace period is killed.
// A thread of its own watches, so that a busy or blocked event loop does not matter. 0 or -errno.
int EndWithParent(UniqueFd channel) noexcept;

// What this process is to the package, as text that all environments share. Empty until one of them
// has set it; `initial` is set if it is empty.
std::string ProcessRole(std::string initial);
void SetProcessRole(std::string role);

}  // namespace mp
