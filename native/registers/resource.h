// SPDX-License-Identifier: MIT
//
// What Python processes make under names of their own: semaphores and shared memory. The family's
// register lists them in lines that are longer than those of its own semaphores. A name may be
// given to something else after a while, so a line also has the inode, which must still be the
// same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mp {

enum class ResourceKind : char { kSemaphore = 's', kSharedMemory = 'm' };

using Resource = std::pair<ResourceKind, std::string>;

// A kind, an inode of at most 20 digits, a name of at most 255 bytes, and a newline.
inline constexpr size_t kResourceLineBytes = 288;

// Empty if there is no such resource.
std::string FormatResource(const Resource& resource);

// Whether a line, without its newline, is that of a resource that still exists.
bool ParseResource(std::string_view line, Resource* out);

void UnlinkResource(const Resource& resource);

}  // namespace mp
