// SPDX-License-Identifier: MIT
//
// What members of a queue leave behind when one of them dies at some step.
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "kills.h"

namespace mp::test {

inline constexpr int kMostSteps = 400;

inline int Value(const std::shared_ptr<TrackedSemaphore>& semaphore) {
  return semaphore->semaphore().Value();
}

// Gets what is left. Every item must be a whole one of these.
inline std::vector<size_t> GetAll(const TestQueue& queue) {
  std::vector<size_t> sizes;
  Blob item;
  for (;;) {
    const int64_t length = queue.Get(&item, 0);
    if (length == -EAGAIN) {
      // A writer's thread may have written everything and still have the lock.
      const bool is_free = Value(queue.wlock) > 0;
      if (is_free && Feeders::Waiting().items == 0 && queue.record->depth() == 0) return sizes;
      // The thread of a writer finds a dead holder after a while.
      ::usleep(1000);
      (void)queue.wlock->CheckHolder();
      queue.slots->Check();
      continue;
    }
    Check(length >= 0, "get: " + Shown(length));
    Check(item == Pattern(item.size()), "an item of " + Shown(item.size()) + " bytes is damaged");
    sizes.push_back(item.size());
    if (queue.joinable) Equal(queue.in_hand->TakeForSlot(), 0);
  }
}

inline std::string Shown(const std::vector<size_t>& sizes) {
  std::string text;
  for (const size_t size : sizes) text += std::to_string(size) + " ";
  return text;
}

// All slots are free again, no lock is taken, and nothing counts as unfinished but what this
// process has got: `in_hand`.
inline void ExpectRest(const TestQueue& queue, int in_hand = 0) {
  for (const auto& lock : {queue.rlock, queue.wlock}) {
    (void)lock->CheckHolder();
    Equal(Value(lock), 1);
  }
  queue.slots->Check();
  Equal(Value(queue.free), static_cast<int>(queue.most));
  Equal(Value(queue.unfinished), in_hand);
  Check(queue.state->Flags() == 0, "the queue is broken");
  Check(queue.record->WriterAtRest(), "the writer's numbers are not at rest");
  Check(queue.record->ReaderAtRest(), "the reader's numbers are not at rest");
}

template <typename Body>
int AtEveryStep(Body body) {
  for (int step = 0; step < kMostSteps; step++) {
    try {
      if (!body(step)) return step;
    } catch (const std::exception& error) {
      throw std::runtime_error("step " + std::to_string(step) + ": " + error.what());
    }
  }
  Fail("the body has too many steps", __FILE__, __LINE__);
}

}  // namespace mp::test
