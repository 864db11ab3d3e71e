// SPDX-License-Identifier: MIT
//
// A family is a tree of processes; its semaphores have names "/mp-<family>-<n>". Names outlive
// processes, so each is written to the family's register, the file <folder>/<family>, before its
// semaphore is made. Every member holds a shared lock (flock) on the register, which the kernel
// lets go however the process ends. Who gets the exclusive lock knows that nobody belongs to the
// family any more, and may remove what the register lists.
//
// The lock belongs to the open file description, which children may inherit. It is never converted
// or unlocked, for that would take it from them too: it ends with the last copy of the descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "os/unique_fd.h"

namespace mp {

// Where this user's registers are, with the semaphores where the system has a place for those.
std::string FamilyFolder();

// All results are >= 0 or -errno. -EPERM means that the folder or the register is a symbolic link,
// is not what it should be, belongs to someone else, or (the folder) is open to others.
class FamilyMember {
 public:
  // Starts a family with a name of its own. Makes the folder if it is missing.
  static int Create(const std::string& folder, std::unique_ptr<FamilyMember>* out);

  // -EINVAL for what cannot be a family's name, -ENOENT when the family is gone. Waits while
  // somebody is removing the family.
  static int Join(const std::string& folder, const std::string& family,
                  std::unique_ptr<FamilyMember>* out);

  // For a child that inherited a member's fd(). What turns out not to be the register (-ESTALE, or
  // -ENOENT when there is none) is let go without being closed, as it is after -EINVAL, -EPERM and
  // -EBADF: the number may have been wrong and belong to somebody else.
  static int Adopt(const std::string& folder, const std::string& family, UniqueFd fd,
                   std::unique_ptr<FamilyMember>* out);

  ~FamilyMember();
  FamilyMember(const FamilyMember&) = delete;
  FamilyMember& operator=(const FamilyMember&) = delete;

  const std::string& family() const noexcept { return family_; }
  const std::string& folder() const noexcept { return folder_; }

  // The descriptor that holds the lock; -1 after Leave().
  int fd() const noexcept { return lock_.get(); }

  // False once the register is no longer at its path. Nobody else can join the family then, and
  // nobody would sweep what it registers.
  bool IsCurrent() const;

  std::string NameOf(uint32_t n) const;  // "/mp-<family>-<n in base 36>"
  std::string HoldersPath() const;

  // To be called before sem_open(): what is not registered stays for ever if this process dies.
  int AddName(uint32_t n);

  // To be called after sem_unlink(). Does nothing for a name that this member did not add.
  void RemoveName(uint32_t n);

  // True when this was the last member and everything has been removed.
  bool Leave();

 private:
  FamilyMember(const std::string& folder, const std::string& family, UniqueFd lock);

  static int Enter(const std::string& folder, int opened, const std::string& family, UniqueFd lock,
                   std::unique_ptr<FamilyMember>* out);
  int OpenOwnDescriptors(int folder);
  int WriteLine(off_t offset, const std::string& text) const noexcept;

  const std::string folder_;
  const std::string family_;
  std::mutex mutex_;  // For all below: threads may share a member.
  UniqueFd lock_;
  // These two share their file offset with nobody. With O_APPEND, pwrite() appends too on Linux, so
  // it takes another descriptor to change a line.
  UniqueFd append_;
  UniqueFd rewrite_;
  std::map<uint32_t, off_t> lines_;
  // Lines to use again. Only its own: two members could otherwise take the same one.
  std::vector<off_t> free_;
};

struct SweptFamily {
  std::string family;
  int names;  // How many of the registered names still existed.
};

// Removes every family that has no members left. Nothing to do when there is no folder.
int Sweep(const std::string& folder, std::vector<SweptFamily>* swept);

}  // namespace mp
