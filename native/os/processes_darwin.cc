// SPDX-License-Identifier: MIT
//
// macOS has no /proc. Where only that would tell, nothing is known here.
#include <mach-o/dyld.h>
#include <sys/event.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "os/processes.h"
#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp::platform {

// macOS has no pid namespaces. Any number but 0 says that the pid means something here.
ProcessIdentity ThisProcess() noexcept { return {static_cast<uint32_t>(::getpid()), 0, 1}; }

int OpenProcess(pid_t pid) noexcept {
  UniqueFd queue(::kqueue());
  if (queue.get() < 0) return -errno;
  sys::SetCloseOnExec(queue.get());
  struct kevent event;
  EV_SET(&event, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  const int status =
      sys::RetryOnInterrupt([&] { return ::kevent(queue.get(), &event, 1, nullptr, 0, nullptr); });
  return status < 0 ? status : queue.Release();
}

bool IsDead(const ProcessIdentity& process) noexcept {
  return process.pid != 0 && ::kill(static_cast<pid_t>(process.pid), 0) < 0 && errno == ESRCH;
}

int VisitDescriptors(DescriptorVisitor, void*) { return -ENOSYS; }

int ListDescriptors(std::vector<HeldDescriptor>*) { return -ENOSYS; }

void VisitLibraries(LibraryVisitor visit, void* context) {
  // Another thread may unload libraries meanwhile; then a name is null.
  for (uint32_t i = 0; i < ::_dyld_image_count(); i++) {
    if (const char* path = ::_dyld_get_image_name(i); path != nullptr) visit(context, path);
  }
}

}  // namespace mp::platform
