// SPDX-License-Identifier: MIT
//
// Blocks of shared memory: with a name, as multiprocessing.shared_memory has them, or only with a
// descriptor. All bytes of a new block are reserved, so that a lack of memory is -ENOSPC (-ENOMEM)
// and never SIGBUS. All results are >= 0 or -errno.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "os/guarded_mapping.h"
#include "os/unique_fd.h"

namespace mp {

// The mapping of a block. Another process may truncate the file of a block with a name, in which
// case zeros take the place of what is gone.
class SharedMapping {
 public:
  static int Map(int fd, size_t size, std::shared_ptr<SharedMapping>* out);

  ~SharedMapping();
  SharedMapping(const SharedMapping&) = delete;
  SharedMapping& operator=(const SharedMapping&) = delete;

  void* data() const noexcept { return address_; }
  size_t size() const noexcept { return size_; }

 private:
  SharedMapping(void* address, size_t size);

  void* const address_;
  const size_t size_;
  std::unique_ptr<GuardedMapping> guard_;
};

// An open block. Each object has a mapping of its own: V8 ends the process when two buffers have
// the same address.
class SharedBlock {
 public:
  // Makes a block under a name that begins with a slash. This process' family lists the name before
  // it exists, and removes it at its end. -EEXIST if the name exists.
  static int Create(const std::string& name, size_t size, std::unique_ptr<SharedBlock>* out);
  // Makes a block without a name, which cannot shrink.
  static int CreateUnnamed(size_t size, std::unique_ptr<SharedBlock>* out);
  // Makes a block without a name whose file can grow behind the block, for Read() and Write().
  static int CreateGrowing(size_t size, std::unique_ptr<SharedBlock>* out);
  // Opens a block that exists. It stays registered as it is.
  static int Open(const std::string& name, std::unique_ptr<SharedBlock>* out);
  // Opens the block of a descriptor, which is released without being closed if that fails.
  static int Adopt(UniqueFd fd, std::unique_ptr<SharedBlock>* out);
  static int Unlink(const std::string& name);

  // Copy from any place of the file, and into it: all bytes, or -errno (-EPROTO where it ends
  // before).
  int Read(void* into, size_t size, off_t at) const noexcept;
  int Write(const void* from, size_t size, off_t at) const noexcept;
  // Gives back what the file has behind the block.
  int Shrink() const noexcept;

  int fd() const noexcept { return fd_.get(); }
  const std::shared_ptr<SharedMapping>& mapping() const noexcept { return mapping_; }

 private:
  SharedBlock(UniqueFd fd, std::shared_ptr<SharedMapping> mapping) noexcept
      : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  static int Over(UniqueFd* fd, std::unique_ptr<SharedBlock>* out);

  UniqueFd fd_;
  // A buffer of JavaScript may use it for longer than the block is open.
  std::shared_ptr<SharedMapping> mapping_;
};

}  // namespace mp
