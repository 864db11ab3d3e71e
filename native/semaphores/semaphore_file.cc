// SPDX-License-Identifier: MIT
#include "semaphores/semaphore_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp::semaphore_file {

#if defined(__linux__) && !defined(__GLIBC__)

// A process can have 256 semaphores that musl's sem_open() has opened, which is about thirty
// JoinableQueues: more are EMFILE. They are files that are mapped, so this maps them itself, and
// takes the steps that musl takes.
namespace {

constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

// 0, -EINVAL or -ENAMETOOLONG.
int PathOf(const std::string& name, std::string* path) {
  const size_t first = name.find_first_not_of('/');
  if (first == std::string::npos) return -EINVAL;
  const std::string base = name.substr(first);
  if (base.find('/') != std::string::npos || base == "." || base == "..") return -EINVAL;
  if (base.size() > NAME_MAX) return -ENAMETOOLONG;
  *path = "/dev/shm/" + base;
  return 0;
}

int Map(int fd, sem_t** out) noexcept {
  void* memory = ::mmap(nullptr, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -errno;
  *out = static_cast<sem_t*>(memory);
  return 0;
}

int OpenExisting(const std::string& path, sem_t** out) noexcept {
  const int opened = sys::RetryOnInterrupt([&] { return ::open(path.c_str(), kFlags); });
  if (opened < 0) return opened;
  const UniqueFd fd(opened);
  return Map(fd.get(), out);
}

// The file of a new semaphore, which nothing else knows yet.
int MakeFile(std::string* path, UniqueFd* out) {
  for (;;) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    *path = "/dev/shm/tmp-" + std::to_string(now.tv_nsec);
    out->Reset(::open(path->c_str(), O_CREAT | O_EXCL | kFlags, S_IRUSR | S_IWUSR));
    if (*out) return 0;
    const int error = errno;
    if (error != EEXIST && error != EINTR) return -error;
  }
}

int Create(const std::string& path, uint32_t value, sem_t** out) {
  if (::access(path.c_str(), F_OK) == 0) return -EEXIST;
  sem_t fresh{};
  if (::sem_init(&fresh, 1, value) < 0) return -errno;
  std::string temporary;
  UniqueFd fd;
  int status = MakeFile(&temporary, &fd);
  if (status < 0) return status;
  const ssize_t written = ::write(fd.get(), &fresh, sizeof(fresh));
  if (written != static_cast<ssize_t>(sizeof(fresh))) status = written < 0 ? -errno : -ENOSPC;
  if (status == 0) status = Map(fd.get(), out);
  if (status == 0 && ::link(temporary.c_str(), path.c_str()) < 0) {
    status = -errno;
    Close(*out);
  }
  ::unlink(temporary.c_str());
  return status;
}

}  // namespace

int Open(const std::string& name, bool create, uint32_t value, sem_t** out) {
  std::string path;
  const int status = PathOf(name, &path);
  if (status < 0) return status;
  return create ? Create(path, value, out) : OpenExisting(path, out);
}

void Close(sem_t* semaphore) noexcept { ::munmap(semaphore, sizeof(sem_t)); }

#else

int Open(const std::string& name, bool create, uint32_t value, sem_t** out) {
  for (;;) {
    sem_t* semaphore = create ? ::sem_open(name.c_str(), O_CREAT | O_EXCL, S_IRUSR | S_IWUSR, value)
                              : ::sem_open(name.c_str(), 0);
    if (semaphore != SEM_FAILED) {
      *out = semaphore;
      return 0;
    }
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

void Close(sem_t* semaphore) noexcept { ::sem_close(semaphore); }

#endif

}  // namespace mp::semaphore_file
