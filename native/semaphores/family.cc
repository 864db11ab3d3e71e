// SPDX-License-Identifier: MIT
#include "semaphores/family.h"

#include <cerrno>
#include <utility>
#include <vector>

namespace mp {

namespace {

// Leaked on purpose: threads may still run when static destructors do.
struct All {
  std::mutex mutex;
  std::shared_ptr<Family> own;
  // Left when nothing of them is open any more.
  std::vector<std::weak_ptr<Family>> joined;
};

All& AllFamilies() {
  static auto& all = *new All;
  return all;
}

int WithTable(std::unique_ptr<FamilyMember> member, std::shared_ptr<Family>* out) {
  std::shared_ptr<HolderTable> table;
  const int status = HolderTable::Open(member->HoldersPath(), true, &table);
  if (status < 0) return status;
  *out = std::make_shared<Family>(std::move(member), std::move(table));
  return 0;
}

}  // namespace

int Family::Create(uint32_t value, uint32_t* number, std::shared_ptr<NamedSemaphore>* out) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    *number = table_->NextNumber();
    const int added = member_->AddName(*number);
    if (added < 0) return added;
    const int status = NamedSemaphore::Open(member_->NameOf(*number), true, value, out);
    if (status >= 0) return 0;
    member_->RemoveName(*number);
    // A name of ours that somebody else has taken is theirs.
    if (status != -EEXIST) return status;
  }
}

int Family::Open(uint32_t number, std::shared_ptr<NamedSemaphore>* out) {
  return NamedSemaphore::Open(member_->NameOf(number), false, 0, out);
}

void Family::Unlink(uint32_t number) {
  const std::lock_guard lock(mutex_);
  NamedSemaphore::Unlink(member_->NameOf(number));
  member_->RemoveName(number);
}

void Family::Leave() {
  const std::lock_guard lock(mutex_);
  member_->Leave();
}

int Families::Own(std::shared_ptr<Family>* out) {
  const std::lock_guard lock(AllFamilies().mutex);
  std::shared_ptr<Family>& own = AllFamilies().own;
  // What cleans a user's semaphores up at the end of a session takes the registers too. What was
  // made before goes on; new semaphores need a register that others find.
  if (own && !own->IsCurrent()) {
    AllFamilies().joined.push_back(own);
    own.reset();
  }
  if (!own) {
    const std::string folder = FamilyFolder();
    std::vector<SweptFamily> swept;
    // What cannot be swept now is so at the next start; it keeps nobody from going on.
    (void)Sweep(folder, &swept);
    std::unique_ptr<FamilyMember> member;
    int status = FamilyMember::Create(folder, &member);
    if (status >= 0) status = WithTable(std::move(member), &own);
    if (status < 0) return status;
  }
  *out = own;
  return 0;
}

std::shared_ptr<Family> Families::Existing() {
  const std::lock_guard lock(AllFamilies().mutex);
  return AllFamilies().own;
}

int Families::Inherit(const std::string& name, UniqueFd fd) {
  const std::lock_guard lock(AllFamilies().mutex);
  std::shared_ptr<Family>& own = AllFamilies().own;
  if (own) {
    (void)fd.Release();
    return -EALREADY;
  }
  std::unique_ptr<FamilyMember> member;
  const int status = FamilyMember::Adopt(FamilyFolder(), name, std::move(fd), &member);
  return status < 0 ? status : WithTable(std::move(member), &own);
}

int Families::Join(const std::string& name, std::shared_ptr<Family>* out) {
  const std::lock_guard lock(AllFamilies().mutex);
  All& all = AllFamilies();
  if (all.own && all.own->name() == name) {
    *out = all.own;
    return 0;
  }
  std::erase_if(all.joined, [](const auto& family) { return family.expired(); });
  for (const auto& joined : all.joined) {
    const auto family = joined.lock();
    if (!family || family->name() != name) continue;
    *out = family;
    return 0;
  }
  std::unique_ptr<FamilyMember> member;
  int status = FamilyMember::Join(FamilyFolder(), name, &member);
  if (status >= 0) status = WithTable(std::move(member), out);
  if (status >= 0) all.joined.push_back(*out);
  return status;
}

void Families::LeaveAll() {
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

}  // namespace mp
