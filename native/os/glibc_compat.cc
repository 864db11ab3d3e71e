// SPDX-License-Identifier: MIT
//
// libstdc++ 12 asks glibc whether the process has one thread only, to save atomic operations. The
// variable exists since glibc 2.32, but every symbol must be found in 2.28. So the addon defines
// it, hidden by the compiler flags: false, as it is in every Node process.
extern "C" {
char __libc_single_threaded = 0;
}

// The unwinder of GCC 12 asks glibc for the code at an address, by a function that exists since
// glibc 2.35. Nothing here catches an exception, so there is nothing to unwind: "not found" makes
// the unwinder end the process, as a lack of memory does.
extern "C" int _dl_find_object(void*, void*) { return -1; }
