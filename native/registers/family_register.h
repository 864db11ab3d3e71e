// SPDX-License-Identifier: MIT
//
// A family is a tree of processes. Its semaphores have names "/mp-<family>-<n>". Names outlive
// processes, so each is written to the family's register before its semaphore is made. Every member
// holds a shared lock (flock) on the register, which the kernel releases however the process ends.
// A process that gets the exclusive lock knows that the family has no members, and may remove what
// the register lists.
//
// The lock belongs to the open file description, which children may inherit. It is never converted
// or unlocked, since the children would lose it too: it ends with the last copy of the descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "os/unique_fd.h"
#include "registers/resource.h"

namespace mp {

// A family's register, and the membership of this process, which lasts as long as the object or
// until Leave(). All results are >= 0 or -errno. For -EPERM see register_file.h.
class FamilyRegister {
 public:
  // Starts a family with a new name. Makes the folder if it is missing.
  static int Create(const std::string& folder, std::unique_ptr<FamilyRegister>* out);

  // -EINVAL for a text that cannot be a family's name, -ENOENT when the family is gone. Waits while
  // a process is removing the family.
  static int Join(const std::string& folder, const std::string& family,
                  std::unique_ptr<FamilyRegister>* out);

  // For a child that inherited a member's fd(). A descriptor that is not that of the register
  // (-ESTALE, or -ENOENT when there is no register) is released without being closed, as it is
  // after -EINVAL, -EPERM and -EBADF: the number may be wrong and belong to something else.
  static int Adopt(const std::string& folder, const std::string& family, UniqueFd fd,
                   std::unique_ptr<FamilyRegister>* out);

  ~FamilyRegister();
  FamilyRegister(const FamilyRegister&) = delete;
  FamilyRegister& operator=(const FamilyRegister&) = delete;

  const std::string& family() const noexcept { return family_; }
  const std::string& folder() const noexcept { return folder_; }

  // The descriptor that holds the lock; -1 after Leave().
  int fd() const noexcept { return lock_.get(); }

  // False once the register is no longer at its path. Then no other process can join the family,
  // and no sweep would find what it registers.
  bool IsCurrent() const;

  std::string NameOf(uint32_t n) const;
  std::string HoldersPath() const;

  // To be called before sem_open(): what is not registered stays for ever if this process dies. The
  // label, of letters and digits, is left out if the line has no room for it.
  int AddName(uint32_t n, const std::string& label = {});

  // To be called after sem_unlink(). Does nothing for a name that this object did not add.
  void RemoveName(uint32_t n);

  // The same for what has a name of another form. With the descriptor of its file it is added
  // before it has the name; else adding does nothing if it does not exist.
  int AddResource(const Resource& resource, int fd = -1);
  void RemoveResource(const Resource& resource);

  // True when this was the last member and everything has been removed.
  bool Leave();

 private:
  FamilyRegister(const std::string& folder, const std::string& family, UniqueFd lock);

  static int Enter(const std::string& folder, int opened, const std::string& family, UniqueFd lock,
                   std::unique_ptr<FamilyRegister>* out);
  int OpenOwnDescriptors(int folder);
  int AppendLine(const std::string& line, off_t* offset) const noexcept;
  int WriteLine(off_t offset, const std::string& line) const noexcept;

  const std::string folder_;
  const std::string family_;
  std::mutex mutex_;  // For all below: threads may share the object.
  UniqueFd lock_;
  // These two share their file offset with no other process. With O_APPEND, pwrite() appends too on
  // Linux, so a line is changed through another descriptor.
  UniqueFd append_;
  UniqueFd rewrite_;
  std::map<uint32_t, off_t> lines_;
  // Lines to use again. Only this object's own: two members could otherwise use the same one.
  std::vector<off_t> free_;
  std::map<Resource, off_t> resource_lines_;
  std::vector<off_t> free_resource_lines_;
};

}  // namespace mp
