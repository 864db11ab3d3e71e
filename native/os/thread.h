// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <csignal>
#include <cstddef>

namespace mp {

// Starts a thread that runs `body(argument)` with all signals blocked, so that the threads of Node
// receive them, except the one that an access to guarded memory raises in the thread itself. Its
// stack is small, since it runs nothing but this addon's code. Debugging tools show the name, of at
// most 15 characters. 0 or -errno.
inline int StartThread(pthread_t* thread, const char* name, void* (*body)(void*),
                       void* argument) noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  constexpr size_t kStackBytes = 256 * 1024;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const int error = ::pthread_create(thread, &attributes, body, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
#ifdef __linux__
  if (error == 0) ::pthread_setname_np(*thread, name);
#else
  (void)name;
#endif
  return -error;
}

}  // namespace mp
