// SPDX-License-Identifier: MIT
#include "environment/environment_children.h"

#include <sys/wait.h>

#include <memory>
#include <utility>

#include "os/sys.h"
#include "os/thread.h"

namespace mp {

namespace {

struct Orphan {
  pid_t pid;
  UniqueFd channel;
};

void* AwaitEnd(void* argument) {
  const std::unique_ptr<Orphan> orphan(static_cast<Orphan*>(argument));
  siginfo_t info{};
  // If it was reaped at the last moment by the environment that ends, this fails at once.
  (void)sys::RetryOnInterrupt(
      [&] { return ::waitid(P_PID, static_cast<id_t>(orphan->pid), &info, WEXITED); });
  return nullptr;
}

}  // namespace

void EnvironmentChildren::OutliveEnvironment() {
  for (auto& [pid, channel] : all_) {
    auto orphan = std::make_unique<Orphan>(Orphan{pid, std::move(channel)});
    pthread_t thread;
    const bool started = StartThread(&thread, "mp-orphan", AwaitEnd, orphan.get()) == 0;
    if (started) ::pthread_detach(thread);
    // Without a thread it stays a zombie, but it does not end before its time.
    (void)orphan.release();
  }
  all_.clear();
}

}  // namespace mp
