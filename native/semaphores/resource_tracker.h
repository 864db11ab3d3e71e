// SPDX-License-Identifier: MIT
//
// The reader of what Python processes tell their resource tracker (multiprocessing/
// resource_tracker.py): lines "REGISTER:<name>:<kind>" and "UNREGISTER:<name>:<kind>" in a pipe.
// CPython runs a process for that. It would be a child of each Python child and outlive it, and it
// would remove the shared memory that its own tree has only looked at. Here one thread reads the
// pipes of all Python children of this process, and the family's register keeps what they say.
//
// A semaphore is removed when the child that has made it and all its descendants have ended, which
// closes the pipe. Shared memory may be in use elsewhere, and stays until the family has ended.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "os/unique_fd.h"
#include "semaphores/tracked_semaphore.h"

namespace mp::resource_tracker {

// A semaphore that a child was given. It is kept open here, since its name may go before the child.
struct Given {
  std::shared_ptr<NamedSemaphore> semaphore;
  std::shared_ptr<HolderTable> table;
  uint32_t number;
  TrackedSemaphore::Role role;
};

// For a new child: the writing end of a pipe that is read until all copies of that end are closed.
// When one of its processes ends, the locks among `given` that this process held are released.
int AddChild(std::vector<Given> given, UniqueFd* writer);

// For the end of the process, before it leaves its family: reads what was written up to now.
void Stop();

}  // namespace mp::resource_tracker
