// SPDX-License-Identifier: MIT
#include "process/parent_and_children.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "os/sys.h"
#include "os/thread.h"

namespace mp {

namespace {

struct ParentWatch {
  UniqueFd channel;
  std::chrono::milliseconds grace;
};

void* WatchParent(void* argument) {
  const std::unique_ptr<ParentWatch> watch(static_cast<ParentWatch*>(argument));
  // No event is asked for, so that only the end of the other side is reported, never a message.
  pollfd wanted{watch->channel.get(), 0, 0};
  while (sys::Poll(&wanted, 1, -1) <= 0) {
  }
  ::kill(::getpid(), SIGTERM);
  std::this_thread::sleep_for(watch->grace);
  ::kill(::getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

int EndOfChild(pid_t pid) noexcept {
  siginfo_t info{};
  const int status = sys::RetryOnInterrupt(
      [&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT); });
  if (status < 0) return status;
  if (info.si_pid == 0) return -EAGAIN;
  return info.si_code == CLD_EXITED ? info.si_status : kKilledBy + info.si_status;
}

int EndWithParent(UniqueFd channel, std::chrono::milliseconds grace) noexcept {
  std::unique_ptr<ParentWatch> watch(new ParentWatch{std::move(channel), grace});
  pthread_t thread;
  const int status = StartThread(&thread, "mp-parent", WatchParent, watch.get());
  if (status < 0) return status;
  // Thread and channel last as long as the process.
  ::pthread_detach(thread);
  (void)watch.release();
  return 0;
}

}  // namespace mp
