// SPDX-License-Identifier: MIT
#include "semaphores/named_semaphore.h"

#include <cerrno>

#include "os/platform.h"
#include "os/sys.h"
#include "semaphores/semaphore_file.h"

namespace mp {

int NamedSemaphore::Open(const std::string& name, bool create, uint32_t value,
                         std::shared_ptr<NamedSemaphore>* out) {
  sem_t* semaphore = nullptr;
  const int status = semaphore_file::Open(name, create, value, &semaphore);
  if (status < 0) return status;
  auto opened = std::make_shared<NamedSemaphore>(name, semaphore);
  // The first access finds out whether the file is as long as a semaphore.
  if (opened->Value() == -EIO) return -EIO;
  *out = std::move(opened);
  return 0;
}

NamedSemaphore::~NamedSemaphore() {
  mapping_.reset();
  semaphore_file::Close(semaphore_);
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
