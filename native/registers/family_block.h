// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "os/guarded_mapping.h"

namespace mp {

// A block of memory that members of a family share: a file beside the family's register. It is
// removed with the family, if not before.
class FamilyBlock {
 public:
  // Makes the file, of zeros, if `create`: then it must not exist yet. 0 or -errno (ENOSPC when
  // there is no memory for it, EIO when it is shorter than `size`).
  static int Open(const std::string& folder, const std::string& file, size_t size, bool create,
                  std::shared_ptr<FamilyBlock>* out);
  static void Remove(const std::string& folder, const std::string& file) noexcept;

  ~FamilyBlock();
  FamilyBlock(const FamilyBlock&) = delete;
  FamilyBlock& operator=(const FamilyBlock&) = delete;

  void* address() const noexcept { return address_; }
  // False once the file was truncated. What is in the memory then is no longer shared.
  bool IsIntact() const noexcept { return mapping_->IsIntact(); }

 private:
  FamilyBlock(void* address, size_t size);

  void* address_;
  size_t size_;
  std::unique_ptr<GuardedMapping> mapping_;
};

}  // namespace mp
