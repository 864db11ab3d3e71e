// SPDX-License-Identifier: MIT
//
// Memory in which JavaScript puts small messages one behind the other, each with its header, for
// one endpoint at a time. This side takes them out without a call for each, on whatever thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mp {

class SendSlab {
 public:
  // The memory begins with these words, which both sides read and write.
  // lib/connection/sending/send-slab.ts has the same list.
  enum Word : uint8_t {
    kEnd,    // Where the messages end. JavaScript moves it when a message is whole. And kLate.
    kOwner,  // One more than the id of the endpoint that has the slab, or 0.
  };
  static constexpr size_t kHeadBytes = 64;

  // A bit of kEnd: no thread will look at a message that is added, until the slab is lent again. In
  // the same word, so that JavaScript learns it by the one atomic operation that adds the message.
  static constexpr int32_t kLate = INT32_MIN;

  // The memory must stay where it is for as long as the slab is lent.
  SendSlab(uint8_t* memory, size_t size) noexcept : memory_(memory), size_(size) {}

  void Lend(int32_t id) noexcept {
    Words()[kEnd].fetch_and(~kLate);
    Set(kOwner, id + 1);
  }

  // JavaScript, which runs on the calling thread, may give the slab to another endpoint.
  void TakeBack() noexcept {
    taken_ = 0;
    Set(kEnd, 0);
    Set(kOwner, 0);
  }

  bool is_lent() const noexcept { return Get(kOwner) != 0; }
  void MarkLate() noexcept { Words()[kEnd].fetch_or(kLate); }

  // The whole messages that are there, and that Take() has not counted.
  const uint8_t* frames() const noexcept { return memory_ + kHeadBytes + taken_; }
  size_t size() const noexcept {
    // Whatever the word says, nothing outside the memory is read.
    const auto end = static_cast<size_t>(Get(kEnd) & ~kLate);
    return end > taken_ && end <= size_ - kHeadBytes ? end - taken_ : 0;
  }
  void Take(size_t size) noexcept { taken_ += size; }

 private:
  int32_t Get(Word word) const noexcept { return Words()[word].load(); }
  void Set(Word word, int32_t value) noexcept { Words()[word].store(value); }
  std::atomic<int32_t>* Words() const noexcept {
    return reinterpret_cast<std::atomic<int32_t>*>(memory_);
  }

  uint8_t* memory_;
  size_t size_;
  size_t taken_ = 0;
};

}  // namespace mp
