// SPDX-License-Identifier: MIT
#pragma once

#include <semaphore.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>

#include "os/guarded_mapping.h"
#include "util/deadline.h"

namespace mp {

// One named POSIX semaphore that this process has open. CPython's synchronisation objects use the
// same semaphores, so nothing here may differ from what sem_open(3) and its relatives do. Any
// thread may use it. Results are >= 0 or -errno; -EIO for every operation once the file of the
// semaphore was truncated.
class NamedSemaphore {
 public:
  // With `create` it must not exist yet (EEXIST) and gets `value`. Without, it must exist (ENOENT).
  static int Open(const std::string& name, bool create, uint32_t value,
                  std::shared_ptr<NamedSemaphore>* out);
  static int Unlink(const std::string& name) noexcept;

  NamedSemaphore(std::string name, sem_t* semaphore) noexcept
      : name_(std::move(name)),
        mapping_(new GuardedMapping(semaphore, sizeof(sem_t))),
        semaphore_(semaphore) {}
  ~NamedSemaphore();
  NamedSemaphore(const NamedSemaphore&) = delete;
  NamedSemaphore& operator=(const NamedSemaphore&) = delete;

  const std::string& name() const noexcept { return name_; }
  sem_t* get() const noexcept { return semaphore_; }

  int Post() noexcept;
  // -EAGAIN when the value is 0.
  int TryWait() noexcept;
  // Whether its memory is that of its file.
  bool IsIntact() const noexcept { return mapping_->IsIntact(); }
  // Sleeps for at most `slice`: 0 once the value was taken, -ETIMEDOUT or -EINTR.
  int Wait(std::chrono::nanoseconds slice) noexcept;
  // Sleeps until the value may be there, and takes nothing: 0, -ETIMEDOUT or -EINTR, and -ENOSYS
  // where that is impossible.
  int Await(std::chrono::nanoseconds slice) noexcept;
  // -ENOSYS on macOS.
  int Value() const noexcept;

 private:
  int Checked(int status) const noexcept { return IsIntact() ? status : -EIO; }

  std::string name_;
  std::unique_ptr<GuardedMapping> mapping_;
  sem_t* semaphore_;
};

}  // namespace mp
