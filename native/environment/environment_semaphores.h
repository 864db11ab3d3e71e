// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

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
  struct OpenSemaphore {
    std::shared_ptr<TrackedSemaphore> semaphore;
    std::shared_ptr<Family> family;  // Null for a semaphore that was opened by a name from outside.
    uint32_t number = 0;
    bool created = false;   // Its name is removed when it is closed.
    bool is_queue = false;  // It is the lock that names a queue's stream record.
    bool closed = false;    // Its object is closed, while it is still pinned.
    int pins = 0;
    SpinHistory spin_history;  // Of asynchronous waits.
  };

  ~EnvironmentSemaphores() { CloseAll(false); }

  // To be called when no environment is left, or at the end of the process: no value stays taken by
  // a request whose caller has gone, and no name stays if this was the last member of the family.
  static void EndOfProcess();
  // Makes that happen however the process ends, except by a signal.
  static void EndWithProcess();

  int32_t Create(uint32_t value, const std::string& label);
  int32_t Attach(const std::string& family, uint32_t number);
  int32_t OpenNamed(const std::string& name, bool create, uint32_t value);

  OpenSemaphore* Find(int32_t id) noexcept { return all_.Find(id); }
  void Close(int32_t id);

  // While a semaphore is pinned, closing it is deferred: a process was given its name and has not
  // opened it yet.
  void Pin(int32_t id) noexcept;
  void Unpin(int32_t id);

  // Waits for a semaphore. The outcome is pushed to the queue, whose descriptor is readable then.
  int StartWaiting(int32_t id, int32_t request);
  void CancelWaiting(int32_t request);
  // Null before OpenCompletions().
  const std::shared_ptr<CompletionQueue>& completions() noexcept { return completions_; }
  int OpenCompletions();

  // For the end of the environment. At the end of the process the names of the semaphores that it
  // created stay for as long as the family has other members, which may still hand them on.
  void CloseAll(bool unlink);

 private:
  int32_t Insert(OpenSemaphore&& open);
  static void Unlink(const OpenSemaphore& open);

  IdTable<OpenSemaphore> all_;
  std::shared_ptr<CompletionQueue> completions_;
};

}  // namespace mp
