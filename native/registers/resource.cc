// SPDX-License-Identifier: MIT
#include "registers/resource.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <vector>

#include "os/platform.h"
#include "os/unique_fd.h"

namespace mp {

namespace {

constexpr size_t kLongestName = 255;

// A name cannot lead out of the system's folder.
bool IsName(std::string_view name) noexcept {
  return name.size() > 1 && name.size() <= kLongestName && name.front() == '/' &&
         name.find_first_of(std::string_view("/\n\0", 3), 1) == std::string_view::npos &&
         name != "/." && name != "/..";
}

// The inode of a resource; 0 if it does not exist, 1 where the system does not tell.
ino_t InodeOf(const Resource& resource) {
#ifdef __linux__
  const auto& [kind, name] = resource;
  // glibc and musl have different places for a semaphore.
  std::vector<std::string> paths{"/dev/shm" + name};
  if (kind == ResourceKind::kSemaphore)
    paths.insert(paths.begin(), "/dev/shm/sem." + name.substr(1));
  for (const std::string& path : paths) {
    // Not lstat(), which glibc exports only since 2.33.
    const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (file && platform::FileStatus(file.get(), &info) == 0 && S_ISREG(info.st_mode)) {
      return info.st_ino;
    }
  }
  return 0;
#else
  (void)resource;
  return 1;
#endif
}

}  // namespace

std::string FormatResource(const Resource& resource, ino_t inode) {
  const auto& [kind, name] = resource;
  if (!IsName(name)) return {};
  if (inode == 0) inode = InodeOf(resource);
  if (inode == 0) return {};
  std::string line = static_cast<char>(kind) + std::to_string(inode) + name;
  line.resize(kResourceLineBytes - 1, ' ');
  return line + '\n';
}

bool ParseResource(std::string_view line, Resource* out) {
  const size_t slash = line.find('/');
  if (slash == std::string_view::npos || slash < 2) return false;
  const char kind = line.front();
  if (kind != 's' && kind != 'm') return false;
  unsigned long long inode = 0;
  const auto parsed = std::from_chars(line.data() + 1, line.data() + slash, inode);
  if (parsed.ec != std::errc() || parsed.ptr != line.data() + slash) return false;
  std::string_view name = line.substr(slash);
  name = name.substr(0, name.find_last_not_of(' ') + 1);
  *out = {static_cast<ResourceKind>(kind), std::string(name)};
  return IsName(name) && InodeOf(*out) == static_cast<ino_t>(inode);
}

void UnlinkResource(const Resource& resource) {
  const auto& [kind, name] = resource;
  if (!IsName(name)) return;
  if (kind == ResourceKind::kSharedMemory) {
    ::shm_unlink(name.c_str());
  } else if (::sem_unlink(name.c_str()) < 0) {
#ifdef __linux__
    // The interpreter may use another C library than this process.
    for (const std::string& path : {"/dev/shm/sem." + name.substr(1), "/dev/shm" + name}) {
      if (::unlink(path.c_str()) == 0) return;
    }
#endif
  }
}

}  // namespace mp
