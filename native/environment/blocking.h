// SPDX-License-Identifier: MIT
//
// Waiting that blocks the calling thread in poll(), where a deadline, a signal that JavaScript
// listens for, and the end of a worker or of the process can end it. A Sync call for which none of
// these exists waits inside read() or write() instead: see Endpoint::BlockingScope.
#pragma once

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>

#include "environment/addon_env.h"
#include "util/deadline.h"
#include "util/spinner.h"

namespace mp {

// A worker cannot be told that it is being terminated, it has to ask. So long a terminate() or an
// exit of the process may have to wait for a blocked worker.
constexpr std::chrono::milliseconds kWorkerSlice{50};

// Waits until one of the descriptors is ready: the number of those that are, 0 at the deadline,
// -EINTR, or -ECANCELED when the environment or the process is ending. fds[count] must be room for
// one entry more.
int BlockOnDescriptors(AddonEnv& env, pollfd* fds, int count, const Deadline& deadline);

// Repeats `attempt` until it returns something other than -EAGAIN, waiting for `events` on `fd` in
// between. -ETIMEDOUT at the deadline. With `wait_first` the wait precedes the first attempt, which
// saves a call where the attempt would most likely find nothing.
template <typename Attempt>
int64_t BlockUntilDone(AddonEnv& env, int fd, short events, const Deadline& deadline,
                       Spinner* spinner, bool wait_first, Attempt attempt) {
  for (bool skip = wait_first;; skip = false) {
    int64_t result = skip ? -EAGAIN : attempt();
    if (result != -EAGAIN) return result;
    const bool spun = spinner != nullptr && spinner->enabled();
    if (spun) {
      result = spinner->Spin(deadline, attempt);
      if (result != -EAGAIN) return result;
    }
    pollfd fds[2] = {{fd, events, 0}, {}};
    const int ready = BlockOnDescriptors(env, fds, 1, deadline);
    if (spun) spinner->Slept();
    if (ready < 0) return ready;
    if (ready == 0) return -ETIMEDOUT;
  }
}

}  // namespace mp
