// SPDX-License-Identifier: MIT
#include "process/child_process.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <utility>

#include "os/sys.h"
#include "os/thread.h"

namespace mp {

namespace {

// So long a child may take to end by itself, as its SIGTERM handlers see fit.
constexpr timespec kGrace{2, 0};

void* WatchParent(void* argument) {
  const int channel = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  // No event is asked for, so that only the end of the other side is reported, never a message.
  pollfd wanted{channel, 0, 0};
  while (sys::Poll(&wanted, 1, -1) <= 0) {
  }
  ::kill(::getpid(), SIGTERM);
  ::nanosleep(&kGrace, nullptr);
  ::kill(::getpid(), SIGKILL);
  return nullptr;
}

// Leaked on purpose: environments of workers may outlive static destructors.
struct Role {
  std::mutex mutex;
  std::string text;
};

Role& TheRole() {
  static auto& role = *new Role;
  return role;
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

int EndWithParent(UniqueFd channel) noexcept {
  pthread_t thread;
  const auto argument = reinterpret_cast<void*>(static_cast<intptr_t>(channel.get()));
  const int status = StartThread(&thread, "mp-parent", WatchParent, argument);
  if (status < 0) return status;
  // Both last as long as the process.
  ::pthread_detach(thread);
  (void)channel.Release();
  return 0;
}

std::string ProcessRole(std::string initial) {
  const std::lock_guard lock(TheRole().mutex);
  if (TheRole().text.empty()) TheRole().text = std::move(initial);
  return TheRole().text;
}

void SetProcessRole(std::string role) {
  const std::lock_guard lock(TheRole().mutex);
  TheRole().text = std::move(role);
}

}  // namespace mp
