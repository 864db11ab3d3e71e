// SPDX-License-Identifier: MIT
//
// Waits for semaphores on behalf of event loops. One thread waits for all of them where the system
// can do that (and one more for each 127 of them). Elsewhere one thread tries them in turn, with
// growing pauses. The outcome of a request is pushed to the queue of its environment.
//
// No value is lost, and none is left while another waiter sleeps. A request that was withdrawn
// after its value had been taken posts it again. A thread that was woken and takes nothing wakes
// the next sleeper in its place.
#pragma once

#include <cstdint>
#include <memory>

#include "semaphores/completion_queue.h"
#include "semaphores/tracked_semaphore.h"

namespace mp {

class SemaphoreWaiter {
 public:
  // With `in_turn` semaphores are tried in turn even where one thread could wait for many. Decided
  // once for the process, by the first call. Must precede the first wait.
  static void Configure(bool in_turn) noexcept;

  // Pushes (request, 0) when a value was taken, (request, kNotified), or (request, kOwnerDied).
  // Requests for one semaphore are served in their order. 0 or -errno.
  static int Start(std::shared_ptr<TrackedSemaphore> semaphore,
                   std::shared_ptr<CompletionQueue> queue, int32_t request);

  // Withdraws a request: nothing is pushed for it any more, and what was pushed is withdrawn too.
  static void Cancel(const std::shared_ptr<CompletionQueue>& queue, int32_t request);

  // The same for all requests of an environment that ends.
  static void CancelAll(const std::shared_ptr<CompletionQueue>& queue);

  // Ends the threads, and withdraws all requests whose completion was not dequeued. Only when no
  // environment is left, since the threads' code may be unloaded next, or at the end of the
  // process.
  static void Stop();
};

}  // namespace mp
