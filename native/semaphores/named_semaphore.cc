// SPDX-License-Identifier: MIT
#include "semaphores/named_semaphore.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "os/platform.h"
#include "os/sys.h"

namespace mp {

int NamedSemaphore::Open(const std::string& name, bool create, uint32_t value,
                         std::shared_ptr<NamedSemaphore>* out) {
  for (;;) {
    sem_t* semaphore = create ? ::sem_open(name.c_str(), O_CREAT | O_EXCL, S_IRUSR | S_IWUSR, value)
                              : ::sem_open(name.c_str(), 0);
    if (semaphore != SEM_FAILED) {
      auto opened = std::make_shared<NamedSemaphore>(name, semaphore);
      // The first access finds out whether the file is as long as a semaphore.
      const int value = opened->Value();
      if (value == -EIO) return value;
      *out = std::move(opened);
      return 0;
    }
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

int NamedSemaphore::Unlink(const std::string& name) noexcept {
  return static_cast<int>(sys::RetryOnInterrupt([&] { return ::sem_unlink(name.c_str()); }));
}

int NamedSemaphore::Post() noexcept { return Checked(::sem_post(semaphore_) == 0 ? 0 : -errno); }

int NamedSemaphore::TryWait() noexcept {
  return Checked(sys::RetryOnInterrupt([&] { return ::sem_trywait(semaphore_); }));
}

int NamedSemaphore::Wait(std::chrono::nanoseconds slice) noexcept {
  return Checked(platform::WaitForSemaphore(semaphore_, slice.count()));
}

int NamedSemaphore::Await(std::chrono::nanoseconds slice) noexcept {
  return Checked(platform::AwaitSemaphore(semaphore_, slice.count()));
}

int NamedSemaphore::Value() const noexcept { return Checked(platform::SemaphoreValue(semaphore_)); }

}  // namespace mp
