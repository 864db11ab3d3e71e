// SPDX-License-Identifier: MIT
//
// How children of this process have ended, and how this process, as a child, follows its parent.
// libuv starts processes and reaps them; nothing here takes that away from it.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "os/unique_fd.h"

namespace mp {

// How a child of this process has ended: its exit code, or kKilledBy + the number of the signal
// that ended it. -EAGAIN while it runs, -ECHILD once it was reaped. It is not reaped here.
constexpr int kKilledBy = 256;
int EndOfChild(pid_t pid) noexcept;

// Ends this process when the other end of `channel` has been closed everywhere: when the parent has
// ended, in whatever way. First by SIGTERM, so that handlers of that signal run, and by SIGKILL if
// it has not ended `grace` later. A thread of its own watches, so that a busy or blocked event loop
// does not delay the end. 0 or -errno.
int EndWithParent(UniqueFd channel, std::chrono::milliseconds grace) noexcept;

}  // namespace mp
