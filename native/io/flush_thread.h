// SPDX-License-Identifier: MIT
//
// The thread that writes accepted messages when the thread of their environment does not come to
// it, since it computes or is blocked. There is one in the process, while something waits.
#pragma once

#include <chrono>
#include <memory>

#include "io/endpoint.h"

namespace mp {

// Any thread.
class FlushThread {
 public:
  // Writes what waits in the endpoint's outbox, from the time at which it is due. Without memory
  // for a thread this has no effect: then the environment's thread alone writes.
  static void Watch(const std::shared_ptr<Endpoint>& endpoint);

  // The same after the end of the environment, for at most so long. The endpoint stays until then,
  // and so does the process.
  static void Adopt(std::shared_ptr<Endpoint> endpoint, std::chrono::milliseconds limit);

  // The environment gives up the endpoint, of which nothing waits: no wait for room in it may keep
  // its descriptor open.
  static void Forget(const Endpoint& endpoint) noexcept;
};

}  // namespace mp
