// SPDX-License-Identifier: MIT
//
// libstdc++ 12 asks glibc whether the process has one thread only, to save atomic operations. The
// variable exists since glibc 2.32, but every symbol must be found in 2.28. So the addon defines
// it, hidden by the compiler flags: false, as it is in every Node process.
#include <link.h>

#include <cstddef>
#include <cstdint>

extern "C" {
char __libc_single_threaded = 0;
}

namespace {

// What the unwinder reads of glibc's dl_find_object on 64-bit systems; more fields follow.
struct FoundObject {
  unsigned long long flags;
  void* begin;
  void* end;
  void* link_map;
  const void* unwind_table;
};

struct Search {
  uintptr_t address;
  FoundObject* found;
};

int Visit(dl_phdr_info* object, size_t, void* argument) {
  const auto& [address, found] = *static_cast<Search*>(argument);
  bool inside = false;
  const void* table = nullptr;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    const uintptr_t begin = object->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && address - begin < part.p_memsz) {
      inside = true;
      *found = {0, reinterpret_cast<void*>(begin), reinterpret_cast<void*>(begin + part.p_memsz),
                nullptr, nullptr};
    }
    if (part.p_type == PT_GNU_EH_FRAME) table = reinterpret_cast<const void*>(begin);
  }
  if (!inside || table == nullptr) return 0;
  found->unwind_table = table;
  return 1;
}

}  // namespace

// The unwinder of GCC 12 asks glibc for the object that contains an address, by a function that
// exists since glibc 2.35. `operator new` with std::nothrow catches an exception, so a lack of
// memory depends on it.
extern "C" int FindObject(void* address, FoundObject* found) __asm__("_dl_find_object");
extern "C" int FindObject(void* address, FoundObject* found) {
  Search search{reinterpret_cast<uintptr_t>(address), found};
  return ::dl_iterate_phdr(Visit, &search) == 1 ? 0 : -1;
}
