// SPDX-License-Identifier: MIT
#include "os/guarded_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

namespace mp {

namespace {

using Range = GuardedMapping::Range;

// Leaked on purpose: threads may still run when static destructors do.
struct Ranges {
  std::mutex mutex;
  std::vector<Range*> free;
  std::atomic<Range*> first{nullptr};
  struct sigaction before {};
};

Ranges& All() {
  static auto& ranges = *new Ranges;
  return ranges;
}

// Only what a signal handler may do: atomics and system calls.
bool Replace(uintptr_t at) noexcept {
  bool any = false;
  for (Range* range = All().first.load(); range != nullptr; range = range->next) {
    const size_t size = range->size.load();
    const uintptr_t begin = range->begin.load();
    if (at < begin || at - begin >= size) continue;
    // Two threads that come here together replace it twice, which does no harm.
    void* zeros = ::mmap(reinterpret_cast<void*>(begin), size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) continue;
    range->replaced.store(true);
    any = true;
  }
  return any;
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  // A code that is not positive belongs to a signal that a process has sent.
  const bool replaced = info->si_code > 0 && Replace(reinterpret_cast<uintptr_t>(info->si_addr));
  errno = error;
  if (replaced) return;
  const struct sigaction& before = All().before;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else if (before.sa_handler == SIG_DFL || info->si_code > 0) {
    // The access is repeated, or the signal is raised again, and then ends the process.
    ::signal(signal, SIG_DFL);
    if (info->si_code <= 0) ::raise(signal);
  }
}

void InstallHandler() {
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  // V8 and Go run code on stacks of their own.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &All().before);
}

}  // namespace

GuardedMapping::GuardedMapping(void* address, size_t size) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const uintptr_t begin = at / page * page;
  const std::lock_guard lock(All().mutex);
  static const bool installed = (InstallHandler(), true);
  (void)installed;
  // A semaphore that is opened twice is mapped once: the pages may have been replaced already.
  bool replaced = false;
  for (const Range* range = All().first.load(); range != nullptr; range = range->next) {
    replaced |= range->size.load() > 0 && range->begin.load() == begin && range->replaced.load();
  }
  if (All().free.empty()) {
    range_ = new Range;
    range_->next = All().first.load();
    All().first.store(range_);
  } else {
    range_ = All().free.back();
    All().free.pop_back();
  }
  range_->replaced.store(replaced);
  range_->begin.store(begin);
  range_->size.store((at - begin + size + page - 1) / page * page);
}

GuardedMapping::~GuardedMapping() {
  const std::lock_guard lock(All().mutex);
  range_->size.store(0);
  All().free.push_back(range_);
}

}  // namespace mp
