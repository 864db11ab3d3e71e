// SPDX-License-Identifier: MIT
#include <cerrno>

#include "shared_memory/shared_file.h"

namespace mp::platform {

int MakeSharedFile(off_t) noexcept { return -ENOSYS; }
int NameSharedFile(int, const std::string&) noexcept { return -ENOSYS; }
void EmptyFile(int, off_t) noexcept {}
int MakeGrowingFile(off_t) noexcept { return -ENOSYS; }

}  // namespace mp::platform
