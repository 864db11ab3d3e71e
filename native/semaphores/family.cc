// SPDX-License-Identifier: MIT
#include "semaphores/family.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "registers/register_file.h"
#include "registers/register_folder.h"

namespace mp {

namespace {

// The families of this process. Leaked on purpose: threads may still run when static destructors
// do.
struct Families {
  std::mutex mutex;
  std::shared_ptr<Family> own;
  // Each is left when none of its semaphores is open any more.
  std::vector<std::weak_ptr<Family>> joined;
};

Families& AllFamilies() {
  static auto& families = *new Families;
  return families;
}

// Only the process that starts a family makes its table, before any other process learns the
// family's name. A table that is missing later would be another one than that of the members.
int WithTable(std::unique_ptr<FamilyRegister> registered, bool create,
              std::shared_ptr<Family>* out) {
  std::shared_ptr<HolderTable> table;
  const int status = HolderTable::Open(registered->HoldersPath(), create, &table);
  if (status < 0) return status;
  *out = std::make_shared<Family>(std::move(registered), std::move(table));
  return 0;
}

}  // namespace

// Sweeping at the first semaphore of a process is policy. It is decided here because the state
// belongs to the process, which no single environment stands for.
int Family::Own(std::shared_ptr<Family>* out) {
  const std::lock_guard lock(AllFamilies().mutex);
  std::shared_ptr<Family>& own = AllFamilies().own;
  // A program that removes a user's semaphores at the end of a session also removes the registers.
  // Existing semaphores keep working, but new ones need a register that other processes find.
  if (own && !own->IsCurrent()) {
    AllFamilies().joined.push_back(own);
    own.reset();
  }
  if (!own) {
    std::vector<std::string> folders;
    std::vector<SweptFamily> swept;
    // A failure is no reason to fail here: the next process that starts sweeps again.
    (void)OwnFolders(&folders);
    for (const std::string& folder : folders) (void)Sweep(folder, &swept);
    std::string folder;
    std::unique_ptr<FamilyRegister> registered;
    int status = FolderForNew(&folder);
    if (status >= 0) status = FamilyRegister::Create(folder, &registered);
    if (status >= 0) status = WithTable(std::move(registered), true, &own);
    if (status < 0) return status;
  }
  *out = own;
  return 0;
}

std::shared_ptr<Family> Family::OwnIfAny() {
  const std::lock_guard lock(AllFamilies().mutex);
  return AllFamilies().own;
}

int Family::Inherit(const std::string& name, UniqueFd fd) {
  const std::lock_guard lock(AllFamilies().mutex);
  std::shared_ptr<Family>& own = AllFamilies().own;
  if (own) {
    (void)fd.Release();
    return -EALREADY;
  }
  std::string folder;
  int status = FolderOf(name, &folder);
  if (status < 0) {
    (void)fd.Release();
    return status;
  }
  std::unique_ptr<FamilyRegister> registered;
  status = FamilyRegister::Adopt(folder, name, std::move(fd), &registered);
  return status < 0 ? status : WithTable(std::move(registered), false, &own);
}

int Family::Join(const std::string& name, std::shared_ptr<Family>* out) {
  const std::lock_guard lock(AllFamilies().mutex);
  Families& families = AllFamilies();
  if (families.own && families.own->name() == name) {
    *out = families.own;
    return 0;
  }
  std::erase_if(families.joined, [](const auto& family) { return family.expired(); });
  for (const auto& joined : families.joined) {
    const auto family = joined.lock();
    if (!family || family->name() != name) continue;
    *out = family;
    return 0;
  }
  std::string folder;
  std::unique_ptr<FamilyRegister> registered;
  int status = FolderOf(name, &folder);
  if (status >= 0) status = FamilyRegister::Join(folder, name, &registered);
  if (status >= 0) status = WithTable(std::move(registered), false, out);
  if (status >= 0) families.joined.push_back(*out);
  return status;
}

void Family::LeaveAll() {
  std::vector<std::shared_ptr<Family>> left;
  {
    const std::lock_guard lock(AllFamilies().mutex);
    for (const auto& joined : AllFamilies().joined) left.push_back(joined.lock());
    AllFamilies().joined.clear();
    left.push_back(std::move(AllFamilies().own));
    AllFamilies().own.reset();
  }
  for (const auto& family : left) {
    if (family) family->Leave();
  }
}

// Trying further numbers is policy too, and here for the same reason as in Own().
int Family::CreateSemaphore(uint32_t value, const std::string& label, uint32_t* number,
                            std::shared_ptr<NamedSemaphore>* out) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    *number = table_->NextNumber();
    const int added = register_->AddName(*number, label);
    if (added < 0) return added;
    const int status = NamedSemaphore::Open(register_->NameOf(*number), true, value, out);
    if (status >= 0) return 0;
    register_->RemoveName(*number);
    // A semaphore that exists under this name belongs to another program.
    if (status != -EEXIST) return status;
  }
}

int Family::OpenSemaphore(uint32_t number, std::shared_ptr<NamedSemaphore>* out) {
  return NamedSemaphore::Open(register_->NameOf(number), false, 0, out);
}

void Family::UnlinkSemaphore(uint32_t number) {
  const std::lock_guard lock(mutex_);
  NamedSemaphore::Unlink(register_->NameOf(number));
  register_->RemoveName(number);
}

int Family::OpenBlock(std::string_view kind, uint32_t number, size_t size, bool create,
                      std::shared_ptr<FamilyBlock>* out) {
  return FamilyBlock::Open(register_->folder(), register_file::BlockFile(name(), kind, number),
                           size, create, out);
}

void Family::RemoveBlock(std::string_view kind, uint32_t number) noexcept {
  FamilyBlock::Remove(register_->folder(), register_file::BlockFile(name(), kind, number));
}

void Family::Leave() {
  const std::lock_guard lock(mutex_);
  register_->Leave();
}

}  // namespace mp
