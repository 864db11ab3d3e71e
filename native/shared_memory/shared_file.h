// SPDX-License-Identifier: MIT
//
// The files behind the names of shared memory (shm_open).
#pragma once

#include <sys/types.h>

#include <string>

namespace mp::platform {

// A new file for shared memory that has no name yet, of which all bytes are reserved. Its mode is
// 0600. Close-on-exec, and no standard stream's number. -ENOSYS where the system has none.
int MakeSharedFile(off_t size) noexcept;

// Gives it its name, which begins with a slash. -EEXIST if there is such a name, -ENOSYS where a
// file cannot get a name later.
int NameSharedFile(int fd, const std::string& name) noexcept;

// Gives back the memory behind `offset` of a file, which keeps its size: zeros take its place.
void EmptyFile(int fd, off_t offset) noexcept;

// A new file without a name that takes no space of /dev/shm, has `size` bytes and can grow and
// shrink. Close-on-exec, and no standard stream's number. -ENOSYS where the system has none.
int MakeGrowingFile(off_t size) noexcept;

}  // namespace mp::platform
