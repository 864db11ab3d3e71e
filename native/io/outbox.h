// SPDX-License-Identifier: MIT
//
// What one endpoint has left to write. It belongs to the thread of the endpoint's environment. For
// messages that were accepted, which no caller waits for, another thread may write meanwhile
// (flush_thread.h): it is the reason for the lock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "io/frame_writer.h"
#include "io/send_slab.h"

namespace mp {

class Outbox {
 public:
  using Clock = std::chrono::steady_clock;
  using Borrowed = FrameWriter::Borrowed;

  explicit Outbox(size_t header_alone_from) noexcept : writer_(header_alone_from) {}

  // See FrameWriter. What is in the slab comes first, and the slab is given back.
  int64_t Send(ByteSink& sink, const uint8_t* payload, size_t size);
  int64_t Append(const uint8_t* payload, size_t size, size_t copied = FrameWriter::kCopiedBytes);
  int64_t AppendUnframed(const uint8_t* payload, size_t size);
  int64_t AppendDescriptor(UniqueFd descriptor);
  int64_t Withdraw(int64_t number, Borrowed borrowed);
  // The messages that the other thread has completed count as well, and its failure is reported.
  // With a budget of 0 nothing is written.
  int64_t Flush(ByteSink& sink, Borrowed borrowed, size_t budget);
  // True if a message was begun, which is cut off.
  bool Clear() noexcept;

  // Puts messages in front of nothing but those that wait, until the slab is given back.
  void Lend(SendSlab* slab, int32_t id);

  bool empty() noexcept;
  uint64_t pending_bytes() noexcept;

  // From now on, what waits is written by another thread if this one does not come to it.
  void Accept(std::chrono::milliseconds exit_limit) noexcept {
    accepts_ = true;
    exit_limit_ = exit_limit;
  }
  bool accepts() const noexcept { return accepts_; }
  // How long that may take when the environment has ended.
  std::chrono::milliseconds exit_limit() const noexcept { return exit_limit_; }

  // For the other thread. When it should write what is here: a time of Clock in nanoseconds, or 0.
  int64_t due() const noexcept { return due_.load(); }
  // Gives the environment's thread more time.
  void Postpone() noexcept;
  // Writes. False when there is no room.
  bool FlushLate(ByteSink& sink);

  // For the end of the environment: gives back the slab and writes what does not need the memory of
  // a caller. True if messages are left that were accepted.
  bool Abandon(ByteSink& sink);

 private:
  void CollectLocked();
  int64_t FlushLocked(ByteSink& sink, Borrowed borrowed, size_t budget);
  int64_t WriteSlabLocked(ByteSink& sink);
  void ScheduleLocked() noexcept;

  std::mutex mutex_;
  FrameWriter writer_;
  SendSlab* slab_ = nullptr;
  // What the other thread has done, and the environment's thread does not know yet.
  int64_t completed_late_ = 0;
  int64_t failure_ = 0;
  std::atomic<int64_t> due_ = 0;
  std::chrono::milliseconds exit_limit_{0};
  bool accepts_ = false;
};

}  // namespace mp
