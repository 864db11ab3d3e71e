// SPDX-License-Identifier: MIT
//
// libstdc++ 12 asks glibc whether the process has one thread only, to save atomic operations. The
// variable exists since glibc 2.32, but every symbol must be found in 2.28. So the addon defines
// it, hidden by the compiler flags: false, as it is in every Node process.
extern "C" {
char __libc_single_threaded = 0;
}

// Containers call this function for a size that exceeds any memory. libstdc++ exports it only since
// GCC 11. Nothing here asks for such a size, so the function ends the process, as a lack of memory
// does.
#include <cstdlib>

namespace std {
[[noreturn]] void __throw_bad_array_new_length() { abort(); }
}  // namespace std
