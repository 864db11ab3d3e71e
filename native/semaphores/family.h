// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "semaphores/family_register.h"
#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"

namespace mp {

// A family that this process is a member of, shared by all its environments. Any thread may use it.
class Family {
 public:
  Family(std::unique_ptr<FamilyMember> member, std::shared_ptr<HolderTable> table) noexcept
      : member_(std::move(member)), table_(std::move(table)) {}

  const std::string& name() const noexcept { return member_->family(); }
  // What a child inherits to be a member from its start; -1 once the family was left.
  int fd() const noexcept { return member_->fd(); }
  const std::shared_ptr<HolderTable>& table() const noexcept { return table_; }

  // False once somebody has removed its register: then nobody else can join it any more.
  bool IsCurrent() const { return member_->IsCurrent(); }

  // A new semaphore under a name that was registered first.
  int Create(uint32_t value, uint32_t* number, std::shared_ptr<NamedSemaphore>* out);
  int Open(uint32_t number, std::shared_ptr<NamedSemaphore>* out);
  // Gives up the name of a semaphore that this process created.
  void Unlink(uint32_t number);
  void Leave();

 private:
  std::mutex mutex_;
  std::unique_ptr<FamilyMember> member_;
  std::shared_ptr<HolderTable> table_;
};

// All families of this process.
class Families {
 public:
  // The one in which this process creates semaphores: inherited, or made at the first call, which
  // also sweeps what families without a living member have left.
  static int Own(std::shared_ptr<Family>* out);
  // The same, or null if there is none yet.
  static std::shared_ptr<Family> Existing();
  // Makes an inherited membership this process' own. -EALREADY if it has one. A descriptor that is
  // not what it should be is let go without being closed.
  static int Inherit(const std::string& name, UniqueFd fd);
  static int Join(const std::string& name, std::shared_ptr<Family>* out);
  // For the end of the process.
  static void LeaveAll();
};

}  // namespace mp
