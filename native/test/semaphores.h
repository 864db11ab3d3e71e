// SPDX-License-Identifier: MIT
//
// Semaphores and tables that leave no names, and child processes that a test ends.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "check.h"
#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"
#include "semaphores/tracked_semaphore.h"

namespace mp::test {

inline std::string FreshName() {
  static int count = 0;
  return "/mp-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

#ifdef __linux__
inline std::string FileOfSemaphore(const std::string& name) {
#ifdef __GLIBC__
  return "/dev/shm/sem." + name.substr(1);
#else
  return "/dev/shm" + name;
#endif
}
#endif

// The name is removed as soon as the semaphore is open.
inline std::shared_ptr<NamedSemaphore> MakeSemaphore(uint32_t value) {
  const std::string name = FreshName();
  std::shared_ptr<NamedSemaphore> semaphore;
  Equal(NamedSemaphore::Open(name, true, value, &semaphore), 0);
  Equal(NamedSemaphore::Unlink(name), 0);
  return semaphore;
}

inline std::shared_ptr<TrackedSemaphore> MakeTracked(uint32_t value) {
  return std::make_shared<TrackedSemaphore>(MakeSemaphore(value));
}

inline std::shared_ptr<HolderTable> MakeTable() {
  const std::string path = "/dev/shm" + FreshName();
  std::shared_ptr<HolderTable> table;
  const int status = HolderTable::Open(path, true, &table);
  ::unlink(path.c_str());
  Equal(status, 0);
  return table;
}

// A child that runs `body` and then waits to be killed.
template <typename Body>
pid_t StartChild(Body body) {
  int ready[2];
  Equal(::pipe(ready), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    body();
    (void)!::write(ready[1], "r", 1);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  Equal(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  return pid;
}

// Leaves a zombie.
inline void KillOnly(pid_t pid) {
  ::kill(pid, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
}

inline void KillAndReap(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace mp::test
