// SPDX-License-Identifier: MIT
//
// The folders in which registers are, and what happens to the registers of a folder as a whole:
// removing those whose families have no members left, and listing them.
//
// A user has one folder, of a name that every process knows. Another user may have made that one
// first, to listen in or to be in the way. Then this user's processes make one whose name cannot be
// foreseen, and find it by looking through the folder above.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mp {

// Where this user's registers are unless another user was there first: beside the semaphores if the
// system has a folder for those.
std::string UsualFolder();

// The names of the files in a folder.
int ListFiles(int folder, std::vector<std::string>* names);

// The folders that exist and are this user's own, the usual one first.
int OwnFolders(std::vector<std::string>* folders);

// The folder for a new register. Makes one if there is none.
int FolderForNew(std::string* folder);

// The folder with the register of a family, or the usual one if none has it. -ENOENT if none has it
// and the usual one is not this user's own.
int FolderOf(const std::string& family, std::string* folder);

// Removes a family if it has no members: the semaphores that its register lists, the files beside
// the register, and the register. Returns how many of the semaphores existed; -EWOULDBLOCK when it
// has members.
int RemoveIfDeserted(int folder, const std::string& family);

struct SweptFamily {
  std::string family;
  int names;  // How many of the registered names still existed.
};

// Removes every family that has no members. There is nothing to do when there is no folder.
int Sweep(const std::string& folder, std::vector<SweptFamily>* swept);

// The functions that follow become no member of a family and take no lock, so they change nothing.

// The families with a register. None when there is no folder.
int ListFamilies(const std::string& folder, std::vector<std::string>* families);

struct RegisteredName {
  std::string name;
  std::string label;  // See register_file.h.
  bool exists;        // True where the system does not tell.
};

// What a family's register lists, each name once. -ENOENT when the family is gone.
int ReadRegister(const std::string& folder, const std::string& family,
                 std::vector<RegisteredName>* names);

// The other processes that are members of families, as pairs of a family and a pid. -ENOSYS where
// the system does not tell.
int ListMembers(const std::string& folder, std::vector<std::pair<std::string, pid_t>>* members);

}  // namespace mp
