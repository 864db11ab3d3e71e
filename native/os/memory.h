// SPDX-License-Identifier: MIT
//
// How the memory of large messages comes from the system, and goes back to it.
#pragma once

#include <cstddef>

namespace mp::platform {

// Makes the allocator of this process keep freed memory for its next use, also of large pieces. At
// most `most` bytes at the end of its heap stay there. False where it cannot be told so.
bool KeepFreedMemory(size_t most) noexcept;

// Gives freed memory back to the system, wherever it lies in the heap, but for about `most` bytes.
void TrimMemory(size_t most) noexcept;

// Asks the kernel for the pages of fresh memory at once, since a fault for each costs more.
void Populate(void* memory, size_t size) noexcept;

}  // namespace mp::platform
