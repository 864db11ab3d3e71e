// SPDX-License-Identifier: MIT
//
// libstdc++ 12 asks glibc whether the process has one thread only, to save atomic operations. The
// variable exists since glibc 2.32, and every symbol must be found in 2.28. A definition inside the
// addon, hidden by the compiler flags, is used instead: false, as it is in every Node process.
extern "C" {
char __libc_single_threaded = 0;
}

// What containers call for a size that no memory has: libstdc++ has it as a function of its own
// since GCC 11 only. Nothing here asks for so much, so it ends the process, as memory that is not
// to be had does.
#include <cstdlib>

namespace std {
[[noreturn]] void __throw_bad_array_new_length() { abort(); }
}  // namespace std
