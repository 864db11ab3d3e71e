// SPDX-License-Identifier: MIT
//
// Processes that end between two steps of the code, and members of a queue in such processes.
#pragma once

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <utility>

#include "check.h"
#include "queues.h"
#include "recovery/queue_accounts.h"
#include "util/steps.h"

namespace mp::test {

inline std::atomic<int> steps_left{0};

// As a kill does it: no thread takes another step. The _exit() of a thread sanitizer sleeps for a
// second, in which the other threads would go on.
[[noreturn]] inline void Die(int code) {
#ifdef SYS_exit_group
  ::syscall(SYS_exit_group, code);
#endif
  ::_exit(code);
}

// Runs `body` in another process, which is gone before the step with this number, from 0, in
// whatever thread. False if it has ended before.
template <typename Body>
bool DiesAtStep(int step, Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      body([step] {
        steps_left = step;
        step_hook = [] {
          if (steps_left.fetch_sub(1) == 0) Die(42);
        };
      });
    } catch (const std::exception& error) {
      std::fprintf(stderr, "# in the child: %s\n", error.what());
      Die(1);
    }
    Die(0);
  }
  int status = 0;
  Equal(::waitpid(pid, &status, 0), pid);
  Check(WIFEXITED(status), "a signal has ended it: " + Shown(status));
  Check(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0, Shown(WEXITSTATUS(status)));
  return WEXITSTATUS(status) == 42;
}

// For such a process: waits until everything is written, or ends the process when its thread waits
// for room.
inline void SettleOrEnd(const TestQueue& queue) {
  for (;;) {
    const int before = steps_left.load();
    ::usleep(30000);
    if (queue.writer->feeder()->load().items == 0) return;
    if (steps_left.load() == before) Die(0);
  }
}

// A queue as another member has it, with records and descriptors of its own.
inline std::unique_ptr<TestQueue> Join(const TestQueue& queue) {
  return std::make_unique<TestQueue>(queue);
}

}  // namespace mp::test
