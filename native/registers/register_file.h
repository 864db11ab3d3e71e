// SPDX-License-Identifier: MIT
//
// The registers of families as files: where they are, what is accepted as one, and what is in it. A
// register is the file <folder>/<family>. Each of its lines holds a semaphore's name or spaces and
// has one length, or what a Python process has made or spaces and has another one: see resource.h.
//
// All results are >= 0 or -errno. -EPERM means that the folder or the register is a symbolic link,
// has another type, belongs to another user, or (the folder) is open to other users.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "os/unique_fd.h"
#include "registers/resource.h"

namespace mp::register_file {

inline constexpr size_t kLineBytes = 32;
inline constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

// Appends characters that no other process can foresee.
int AppendRandom(std::string* text);

// Whether a text can be the name of a family.
bool IsFamily(std::string_view text) noexcept;

// "/mp-<family>-<n in base 36>"
std::string SemaphoreName(const std::string& family, uint32_t n);

// The file of a family's holder table, beside its register.
std::string HoldersFile(const std::string& family);

// The file of a block of shared memory, beside the register too: "<family>.<kind>.<n in base 36>".
// Its name tells whose it is, so no register lists it.
std::string BlockFile(const std::string& family, std::string_view kind, uint32_t n);

// The family of a file beside a register; empty for any other file.
std::string FamilyOfFile(const std::string& file);

// Verifies the folder as it opens it. Everything else is done below the descriptor, so what was
// verified is what is used.
int OpenFolder(const std::string& folder, UniqueFd* out);

// Opens and verifies a register.
int Open(int folder, const std::string& family, int flags, UniqueFd* out);
int Check(int fd) noexcept;

// 0 if both descriptors refer to the same file, else -ESTALE.
int CheckSame(int one, int other) noexcept;

// 0 when the family's path leads to the open file, -ENOENT when it leads to nothing, -ESTALE when
// it leads to another file.
int CheckPath(int folder, const std::string& family, int fd);

// Whether a family's path leads to nothing.
bool IsMissing(int folder, const std::string& family);

// A line with this text.
std::string FormatLine(std::string text);

// A semaphore in a register, and the text about it that its process has added, for people.
struct ListedName {
  std::string name;
  std::string label;  // Letters and digits, if any.
};

// The semaphores that a family's register lists, except those of Python processes. A register is
// read up to 4 MiB.
int ReadNames(int fd, const std::string& family, std::vector<ListedName>* names);

// What a family's Python processes have made and what still exists of that.
int ReadResources(int fd, std::vector<Resource>* resources);

}  // namespace mp::register_file
