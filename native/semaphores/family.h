// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "registers/family_block.h"
#include "registers/family_register.h"
#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"

namespace mp {

// A family that this process is a member of, shared by all its environments. Any thread may use it.
// Results are >= 0 or -errno.
class Family {
 public:
  // The family in which this process creates semaphores: inherited, or made by the first call.
  static int Own(std::shared_ptr<Family>* out);
  // The same, or null if there is none yet.
  static std::shared_ptr<Family> OwnIfAny();
  // Makes an inherited membership the one in which this process creates semaphores. -EALREADY if it
  // has one. A descriptor that is refused is released without being closed.
  static int Inherit(const std::string& name, UniqueFd fd);
  static int Join(const std::string& name, std::shared_ptr<Family>* out);
  // For the end of the process.
  static void LeaveAll();

  Family(std::unique_ptr<FamilyRegister> registered, std::shared_ptr<HolderTable> table) noexcept
      : register_(std::move(registered)), table_(std::move(table)) {}

  const std::string& name() const noexcept { return register_->family(); }
  const std::string& folder() const noexcept { return register_->folder(); }
  // The descriptor that makes a child a member from its start; -1 once the family was left.
  int fd() const noexcept { return register_->fd(); }
  const std::shared_ptr<HolderTable>& table() const noexcept { return table_; }

  // False once its register was removed or its table damaged: then no other process can join it.
  bool IsCurrent() const { return register_->IsCurrent() && table_->IsIntact(); }

  // A new semaphore under a name that was registered first, with a label for people.
  int CreateSemaphore(uint32_t value, const std::string& label, uint32_t* number,
                      std::shared_ptr<NamedSemaphore>* out);
  int OpenSemaphore(uint32_t number, std::shared_ptr<NamedSemaphore>* out);
  // Removes the name of a semaphore that this process created.
  void UnlinkSemaphore(uint32_t number);
  // A block of shared memory that belongs to the semaphore with this number.
  int OpenBlock(std::string_view kind, uint32_t number, size_t size, bool create,
                std::shared_ptr<FamilyBlock>* out);
  void RemoveBlock(std::string_view kind, uint32_t number) noexcept;
  // Shared memory, or what a Python process has made, which is removed at the end of the family.
  int AddResource(const Resource& resource, int fd = -1) {
    return register_->AddResource(resource, fd);
  }
  void RemoveResource(const Resource& resource) { register_->RemoveResource(resource); }
  void Leave();

 private:
  std::mutex mutex_;
  std::unique_ptr<FamilyRegister> register_;
  std::shared_ptr<HolderTable> table_;
};

}  // namespace mp
