// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "semaphores/completion_queue.h"

namespace mp {

class Feeder;

// All feeders of this process whose threads run, of whatever environment. Any thread.
class Feeders {
 public:
  struct Load {
    uint64_t queues = 0;
    uint64_t items = 0;
    uint64_t bytes = 0;
    std::string name;  // Of a lock of one of the queues.
  };

  static void Add(std::shared_ptr<Feeder> feeder);
  static void Remove(const Feeder* feeder);

  // What is still to be written before the process may end.
  static Load Waiting();
  // Pushes (request, 0) once nothing is.
  static void NotifyWhenIdle(std::shared_ptr<CompletionQueue> queue, int32_t request);
  // To be called when a feeder has nothing left.
  static void Look();

  // For the end of the process.
  static void CutReaders();
  // True once no message is half written.
  static bool Stop();
};

}  // namespace mp
