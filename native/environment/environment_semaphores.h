// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "semaphores/completion_queue.h"
#include "semaphores/family.h"
#include "semaphores/tracked_semaphore.h"
#include "util/id_table.h"
#include "util/spinner.h"

namespace mp {

// The semaphores that one JavaScript environment has open, by small integers. Used on the
// environment's own thread.
class EnvironmentSemaphores {
 public:
  struct Open {
    std::shared_ptr<TrackedSemaphore> semaphore;
    std::shared_ptr<Family> family;  // Null for one that was opened by a name from outside.
    uint32_t number = 0;
    bool created = false;  // Its name goes when it is closed.
    bool closed = false;   // By its object, while somebody is still to find it by its name.
    int pins = 0;
    SpinHistory spin_history;  // Of asynchronous waits.
  };

  ~EnvironmentSemaphores() { CloseAll(false); }

  // What is to be done when no environment is left, or at the end of the process: no value stays
  // taken by a request that nobody waits for any more, and no name if this was the last member.
  static void EndOfProcess();

  int32_t Create(uint32_t value);
  int32_t Attach(const std::string& family, uint32_t number);
  int32_t OpenNamed(const std::string& name, bool create, uint32_t value);

  Open* Find(int32_t id) noexcept { return all_.Find(id); }
  void Close(int32_t id);

  // While a semaphore is pinned, closing it waits: somebody was given its name who has not opened
  // it yet.
  void Pin(int32_t id) noexcept;
  void Unpin(int32_t id);

  // Waits for one; what comes of it is in the queue, whose descriptor is readable then.
  int StartWaiting(int32_t id, int32_t request);
  void CancelWaiting(int32_t request);
  // Null before the first wait.
  const std::shared_ptr<CompletionQueue>& completions() noexcept { return completions_; }
  int OpenCompletions();

  // For the end of the environment. At the end of the process the names of what it made stay for
  // as long as the family has other members, who may still hand them on.
  void CloseAll(bool unlink);

 private:
  int32_t Insert(Open&& open);
  static void Unlink(const Open& open);

  IdTable<Open> all_;
  std::shared_ptr<CompletionQueue> completions_;
};

}  // namespace mp
