// SPDX-License-Identifier: MIT
#include "environment/blocking.h"

#include "os/platform.h"

namespace mp {

int BlockOnDescriptors(AddonEnv& env, pollfd* fds, int count, const Deadline& deadline) {
  // The main thread ends the blocked calls of workers when the process ends. Nothing ends its own
  // in this way, and polling one descriptor fewer is measurable in a short round trip.
  const int cancellable = env.is_main_thread() ? 0 : 1;
  fds[count] = {env.cancel().fd(), POLLIN, 0};
  for (;;) {
    long long timeout_ns = deadline.never() ? -1 : deadline.Left().count();
    bool sliced = false;
    if (!env.is_main_thread()) {
      constexpr long long kSlice = std::chrono::nanoseconds(kWorkerSlice).count();
      sliced = timeout_ns < 0 || timeout_ns > kSlice;
      if (sliced) timeout_ns = kSlice;
    }
    const int ready =
        platform::WaitForEvents(fds, static_cast<nfds_t>(count + cancellable), timeout_ns);
    if (ready < 0) return ready;
    if (cancellable != 0 && fds[count].revents != 0) {
      // The descriptor stays readable, so that every later blocked call of this environment ends
      // too.
      return -ECANCELED;
    }
    if (ready > 0) return ready;
    if (!sliced) return 0;
    if (env.IsTerminating()) return -ECANCELED;
  }
}

}  // namespace mp
