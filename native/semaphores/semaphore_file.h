// SPDX-License-Identifier: MIT
#pragma once

#include <semaphore.h>

#include <cstdint>
#include <string>

// Opens and closes named semaphores: in the place, and with the contents, that sem_open(3) gives
// them.
namespace mp::semaphore_file {

// With `create` it must not exist yet (-EEXIST) and gets `value`. Without, it must exist (-ENOENT).
int Open(const std::string& name, bool create, uint32_t value, sem_t** out);
void Close(sem_t* semaphore) noexcept;

}  // namespace mp::semaphore_file
