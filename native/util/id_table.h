// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

namespace mp {

// Objects that JavaScript knows by small integers. An id is the index of an entry and, above it, as
// many bits of the entry's generation as an int32 has room for, so that a stale id is noticed and
// never reaches another object.
template <typename T>
class IdTable {
 public:
  // The new id, or -EMFILE.
  int32_t Add(T&& value) {
    if (free_.empty()) {
      if (entries_.size() > kIndexMask) return -EMFILE;
      entries_.push_back({std::move(value), 0, true});
      return MakeId(static_cast<uint32_t>(entries_.size() - 1), 0);
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Entry& entry = entries_[index];
    entry = {std::move(value), entry.generation + 1, true};
    return MakeId(index, entry.generation);
  }

  // nullptr for an id that is not (or no longer) in use.
  T* Find(int32_t id) noexcept {
    const uint32_t index = static_cast<uint32_t>(id) & kIndexMask;
    if (id < 0 || index >= entries_.size()) return nullptr;
    Entry& entry = entries_[index];
    return entry.used && MakeId(index, entry.generation) == id ? &entry.value : nullptr;
  }

  // Only for an id that Find() finds.
  void Remove(int32_t id) {
    const uint32_t index = static_cast<uint32_t>(id) & kIndexMask;
    entries_[index].value = T();
    entries_[index].used = false;
    free_.push_back(index);
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (Entry& entry : entries_) {
      if (entry.used) visit(entry.value);
    }
  }

  void Clear() noexcept {
    entries_.clear();
    free_.clear();
  }

 private:
  struct Entry {
    T value;
    uint32_t generation = 0;
    bool used = false;
  };

  static constexpr uint32_t kIndexBits = 20;
  static constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;
  static constexpr uint32_t kGenerationMask = (1u << (31 - kIndexBits)) - 1;

  static int32_t MakeId(uint32_t index, uint32_t generation) noexcept {
    return static_cast<int32_t>((generation & kGenerationMask) << kIndexBits | index);
  }

  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
};

}  // namespace mp
