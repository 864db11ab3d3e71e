// SPDX-License-Identifier: MIT
//
// Waiting for semaphores on behalf of event loops. One thread waits for all of them where the
// system lets it (and one more for each 127 of them); elsewhere one thread tries them in turn, with
// growing pauses. What a request gets, or that it failed, is pushed to its environment's queue.
//
// No value is lost or left lying beside somebody who sleeps: a request that was withdrawn after its
// value had been taken gives it back, and a thread that was woken and takes nothing wakes the next
// sleeper in its place.
#pragma once

#include <cstdint>
#include <memory>

#include "semaphores/completion_queue.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

class SemaphoreWaiter {
 public:
  // Whether one thread waits for many semaphores on this system.
  static bool WaitsForMany() noexcept;

  // Pushes (request, 0) when a value was taken, or (request, kOwnerDied). Requests for one
  // semaphore are served in their order. 0 or -errno.
  static int Start(std::shared_ptr<TrackedSemaphore> semaphore,
                   std::shared_ptr<CompletionQueue> queue, int32_t request);

  // Nothing is pushed for the request any more, and what was pushed is undone.
  static void Cancel(const std::shared_ptr<CompletionQueue>& queue, int32_t request);

  // The same for all requests of an environment that ends.
  static void CancelAll(const std::shared_ptr<CompletionQueue>& queue);

  // Ends the threads, and undoes what nobody has taken notice of. Only when no environment is left,
  // since their code may be unloaded next, or at the end of the process.
  static void Stop();
};

}  // namespace mp
