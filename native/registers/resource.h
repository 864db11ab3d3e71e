// SPDX-License-Identifier: MIT
//
// What has a name that is not the family's own: shared memory, and the semaphores of Python
// processes. The family's register lists them in lines that are longer than those of its own
// semaphores. A name may be given to something else after a while, so a line also has the inode,
// which must still be the same.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mp {

enum class ResourceKind : char { kSemaphore = 's', kSharedMemory = 'm' };

using Resource = std::pair<ResourceKind, std::string>;

// A kind, an inode of at most 20 digits, a name of at most 255 bytes, and a newline.
inline constexpr size_t kResourceLineBytes = 288;

// Empty if there is no such resource. With an inode it need not exist yet.
std::string FormatResource(const Resource& resource, ino_t inode = 0);

// Whether a line, without its newline, is that of a resource that still exists.
bool ParseResource(std::string_view line, Resource* out);

void UnlinkResource(const Resource& resource);

}  // namespace mp
