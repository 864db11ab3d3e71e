// SPDX-License-Identifier: MIT
#include "queue/queue_recovery.h"

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "os/platform.h"
#include "os/processes.h"
#include "os/sys.h"
#include "semaphores/register_folder.h"
#include "util/status.h"

namespace mp {

int RecoverLock(TrackedSemaphore& dead, TrackedSemaphore& other, int reader_fd) noexcept {
  if (!dead.HasDeadMover()) return 0;
  if (sys::BytesReadable(reader_fd) != 0) return kQueueBroken;
  if (other.TryAcquire() < 0) {
    if (other.HasDeadMover()) return kQueueBroken;
    // A holder that died at a boundary is no obstacle. A living one will be done soon.
    (void)other.CheckHolder();
    return -EAGAIN;
  }
  const bool at_boundary = sys::BytesReadable(reader_fd) == 0;
  if (at_boundary) (void)dead.ReleaseForDeadMover();
  other.Release(TrackedSemaphore::kNoLimit);
  return at_boundary ? 0 : kQueueBroken;
}

int CheckWriter(TrackedSemaphore& wlock, int reader_fd) noexcept {
  return wlock.HasDeadMover() && sys::BytesReadable(reader_fd) == 0 ? kQueueBroken : 0;
}

bool MayBeMovedByNonMember(int pipe_fd) {
  struct stat info {};
  if (platform::FileStatus(pipe_fd, &info) < 0) return true;
  const std::string pipe = "pipe:[" + std::to_string(info.st_ino) + "]";
  std::map<pid_t, std::vector<int>> users;
  std::set<pid_t> members;
  const int status = platform::ForEachDescriptor([&](pid_t pid, int fd, std::string_view target) {
    if (target == pipe) users[pid].push_back(fd);
    // Every member holds its family's register by a descriptor.
    if (IsInFolderOfRegisters(target)) members.insert(pid);
  });
  if (status < 0) return true;
  for (const auto& [pid, fds] : users) {
    if (!members.contains(pid) && platform::MayBeMovingData(pid, fds)) return true;
  }
  return false;
}

}  // namespace mp
