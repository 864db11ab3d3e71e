// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "semaphores/completion_queue.h"

namespace mp {

// A feeder as the whole process sees it. Any thread.
class RunningFeeder {
 public:
  struct Load {
    uint64_t items = 0;
    uint64_t bytes = 0;
  };
  virtual ~RunningFeeder() = default;

  // What waits to be written before the process may end.
  virtual Load load() const noexcept = 0;
  // The name of a lock of its queue.
  virtual const std::string& name() const noexcept = 0;
  // For the end of the process: the pipe looks to its writers as if this process did not read.
  virtual void CutReader() noexcept = 0;
  // For the end of the process: no further message is begun. True if none is half written.
  virtual bool Stop() noexcept = 0;
};

// All feeders of this process whose threads run, of whatever environment. Any thread.
class Feeders {
 public:
  struct Load {
    uint64_t queues = 0;
    uint64_t items = 0;
    uint64_t bytes = 0;
    std::string name;  // Of a lock of one of the queues.
  };

  static void Add(std::shared_ptr<RunningFeeder> feeder);
  static void Remove(const RunningFeeder* feeder);

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
