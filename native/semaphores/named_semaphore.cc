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
      *out = std::make_shared<NamedSemaphore>(name, semaphore);
      return 0;
    }
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

int NamedSemaphore::Unlink(const std::string& name) noexcept {
  return static_cast<int>(sys::RetryOnInterrupt([&] { return ::sem_unlink(name.c_str()); }));
}

int NamedSemaphore::Post() noexcept { return ::sem_post(semaphore_) == 0 ? 0 : -errno; }

int NamedSemaphore::TryWait() noexcept {
  return sys::RetryOnInterrupt([&] { return ::sem_trywait(semaphore_); });
}

int NamedSemaphore::Wait(std::chrono::nanoseconds slice) noexcept {
  return platform::WaitForSemaphore(semaphore_, slice.count());
}

int NamedSemaphore::Value() const noexcept { return platform::SemaphoreValue(semaphore_); }

}  // namespace mp
