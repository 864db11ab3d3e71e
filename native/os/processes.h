// SPDX-License-Identifier: MIT
//
// What the system tells of processes. Each side has one file: processes_linux.cc and
// processes_darwin.cc. Functions that return a number return >= 0 or -errno.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mp::platform {

// What tells one process from every other, also from a later one with the same pid.
struct ProcessIdentity {
  uint32_t pid = 0;
  uint64_t start = 0;          // Clock ticks from boot to start; 0 where the system does not tell.
  uint64_t pid_namespace = 0;  // Likewise.
};

ProcessIdentity ThisProcess() noexcept;

// A descriptor that is readable once a child of this process has ended.
int OpenProcess(pid_t pid) noexcept;

// Whether a process has certainly ended. A stopped process has not. Of a process in another pid
// namespace nothing is known.
bool IsDead(const ProcessIdentity& process) noexcept;

// Calls visit(context, pid, fd, target) for every descriptor of every other process that this one
// may ask about. `target` is the path of the open file, or what stands for one: "pipe:[inode]".
// -ENOSYS where the system does not tell.
using DescriptorVisitor = void (*)(void* context, pid_t pid, int fd, const char* target);
int VisitDescriptors(DescriptorVisitor visit, void* context);

template <typename Visit>
int ForEachDescriptor(Visit visit) {
  const auto call = [](void* context, pid_t pid, int fd, const char* target) {
    (*static_cast<Visit*>(context))(pid, fd, target);
  };
  return VisitDescriptors(call, &visit);
}

// A descriptor of a process.
struct HeldDescriptor {
  pid_t pid;
  int fd;
  int flags;            // Of open(2): O_RDONLY, O_WRONLY or O_RDWR, and O_NONBLOCK.
  std::string object;   // As the target in VisitDescriptors().
  std::string program;  // The name of the process.
  std::string peer;     // The object at the other end of a Unix socket; empty where nothing tells.
};

// All descriptors that VisitDescriptors() visits. -ENOSYS where the system does not tell.
int ListDescriptors(std::vector<HeldDescriptor>* out);

// Calls visit(context, path) for every library that this process has loaded.
using LibraryVisitor = void (*)(void* context, const char* path);
void VisitLibraries(LibraryVisitor visit, void* context);

}  // namespace mp::platform
