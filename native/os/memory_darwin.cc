// SPDX-License-Identifier: MIT
#include "os/memory.h"

namespace mp::platform {

bool KeepFreedMemory(size_t) noexcept { return false; }
void TrimMemory(size_t) noexcept {}
void Populate(void*, size_t) noexcept {}

}  // namespace mp::platform
