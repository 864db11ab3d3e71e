// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "os/memory.h"

#ifndef MADV_POPULATE_WRITE  // Linux 5.14.
#define MADV_POPULATE_WRITE 23
#endif

namespace mp::platform {

namespace {

// Those of glibc's malloc.h, which another C library may lack as it lacks the functions.
constexpr int kTrimThreshold = -1;
constexpr int kMmapThreshold = -3;

// The largest threshold that glibc accepts on systems of 64 bits. Longer pieces are mapped.
constexpr int kLargestThreshold = 32 * 1024 * 1024;

}  // namespace

bool KeepFreedMemory(size_t most) noexcept {
  static const auto mallopt = reinterpret_cast<int (*)(int, int)>(::dlsym(RTLD_DEFAULT, "mallopt"));
  // Other allocators that are loaded into a process have a function of this name that does nothing.
  const bool is_glibc = ::dlsym(RTLD_DEFAULT, "gnu_get_libc_version") != nullptr;
  return is_glibc && mallopt != nullptr && mallopt(kMmapThreshold, kLargestThreshold) == 1 &&
         mallopt(kTrimThreshold, static_cast<int>(most)) == 1;
}

void TrimMemory(size_t most) noexcept {
  static const auto trim = reinterpret_cast<int (*)(size_t)>(::dlsym(RTLD_DEFAULT, "malloc_trim"));
  if (trim != nullptr) trim(most);
}

void Populate(void* memory, size_t size) noexcept {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + size) / page * page;
  // An old kernel refuses, and each page is then a fault.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
}

}  // namespace mp::platform
