// SPDX-License-Identifier: MIT
#include "registers/register_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>

#include "os/processes.h"
#include "os/sys.h"
#include "os/unique_fd.h"
#include "registers/register_file.h"

namespace mp {

namespace {

#ifdef __APPLE__
constexpr std::string_view kParent = "/private/tmp";
#else
constexpr std::string_view kParent = "/dev/shm";
#endif
constexpr std::string_view kFolderPrefix = "mp-";
constexpr int kMaxTries = 100;

std::string PathIn(std::string_view folder, std::string_view name) {
  return std::string(folder) + "/" + std::string(name);
}

std::string UsualName() { return std::string(kFolderPrefix) + std::to_string(::geteuid()); }

#ifdef __linux__
// glibc keeps the semaphore "/x" in the first of these files, musl in the second one.
std::string PathOfGlibc(const std::string& name) { return "/dev/shm/sem." + name.substr(1); }
std::string PathOfMusl(const std::string& name) { return "/dev/shm" + name; }
#endif

// Whether there was such a semaphore. sem_unlink() knows one C library's place only, and once the
// register is gone nothing leads to the other one.
bool UnlinkSemaphore(const std::string& name) {
  if (::sem_unlink(name.c_str()) == 0) return true;
#ifdef __linux__
#ifdef __GLIBC__
  const std::string other = PathOfMusl(name);
#else
  const std::string other = PathOfGlibc(name);
#endif
  return errno == ENOENT && ::unlink(other.c_str()) == 0;
#else
  return false;
#endif
}

bool SemaphoreExists(const std::string& name) {
#ifdef __linux__
  return ::access(PathOfGlibc(name).c_str(), F_OK) == 0 ||
         ::access(PathOfMusl(name).c_str(), F_OK) == 0;
#else
  (void)name;
  return true;
#endif
}

int ListAndClose(DIR* directory, std::vector<std::string>* names) {
  if (directory == nullptr) return -errno;
  // A duplicate of a descriptor shares its position with that of the caller.
  ::rewinddir(directory);
  while (const dirent* entry = ::readdir(directory)) names->emplace_back(entry->d_name);
  ::closedir(directory);
  return 0;
}

// Whether a folder is this user's own. -ENOENT, -EPERM, or another failure to look at it.
int CheckOwn(const std::string& folder) {
  UniqueFd opened;
  return register_file::OpenFolder(folder, &opened);
}

}  // namespace

int ListFiles(int folder, std::vector<std::string>* names) {
  UniqueFd copy(sys::Duplicate(folder));
  const int status = ListAndClose(::fdopendir(copy.get()), names);
  // closedir() closes the descriptor.
  if (status == 0) (void)copy.Release();
  return status;
}

std::string UsualFolder() { return PathIn(kParent, UsualName()); }

int OwnFolders(std::vector<std::string>* folders) {
  std::vector<std::string> names;
  // Without the right to look there, this user has made no other one.
  (void)ListAndClose(::opendir(std::string(kParent).c_str()), &names);
  const std::string usual = UsualName();
  std::erase_if(names, [&](const auto& name) { return !name.starts_with(usual + "-"); });
  std::sort(names.begin(), names.end());
  names.insert(names.begin(), usual);
  for (const std::string& name : names) {
    const std::string folder = PathIn(kParent, name);
    const int status = CheckOwn(folder);
    if (status == 0)
      folders->push_back(folder);
    else if (status != -ENOENT && status != -EPERM)
      return status;
  }
  return 0;
}

int FolderForNew(std::string* folder) {
  *folder = UsualFolder();
  if (::mkdir(folder->c_str(), 0700) < 0 && errno != EEXIST) return -errno;
  int status = CheckOwn(*folder);
  if (status != -EPERM) return status;
  std::vector<std::string> own;
  status = OwnFolders(&own);
  if (status < 0) return status;
  if (!own.empty()) {
    *folder = own.front();
    return 0;
  }
  for (int i = 0; i < kMaxTries; i++) {
    *folder = UsualFolder() + "-";
    status = register_file::AppendRandom(folder);
    if (status < 0) return status;
    if (::mkdir(folder->c_str(), 0700) == 0) return CheckOwn(*folder);
    if (errno != EEXIST) return -errno;
  }
  return -EAGAIN;
}

int FolderOf(const std::string& family, std::string* folder) {
  if (!register_file::IsFamily(family)) return -EINVAL;
  *folder = UsualFolder();
  UniqueFd opened;
  const int usual = register_file::OpenFolder(*folder, &opened);
  if (usual == 0 && !register_file::IsMissing(opened.get(), family)) return 0;
  std::vector<std::string> own;
  const int status = OwnFolders(&own);
  if (status < 0) return status;
  for (const std::string& other : own) {
    if (register_file::OpenFolder(other, &opened) < 0) continue;
    if (register_file::IsMissing(opened.get(), family)) continue;
    *folder = other;
    return 0;
  }
  return usual == -EPERM ? -ENOENT : 0;
}

// The register goes last: what a process leaves that is killed in between, the next sweep removes.
int RemoveIfDeserted(int folder, const std::string& family) {
  UniqueFd lock;
  int status = register_file::Open(folder, family, O_RDONLY, &lock);
  if (status == 0) {
    status = sys::RetryOnInterrupt([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); });
  }
  if (status == 0) status = register_file::CheckPath(folder, family, lock.get());
  std::vector<register_file::ListedName> names;
  if (status == 0) status = register_file::ReadNames(lock.get(), family, &names);
  std::vector<Resource> resources;
  if (status == 0) status = register_file::ReadResources(lock.get(), &resources);
  if (status < 0) return status;
  for (const Resource& resource : resources) UnlinkResource(resource);
  const auto removed = std::count_if(names.begin(), names.end(),
                                     [](const auto& each) { return UnlinkSemaphore(each.name); });
  std::vector<std::string> files;
  (void)ListFiles(folder, &files);
  for (const std::string& file : files) {
    if (register_file::FamilyOfFile(file) == family) ::unlinkat(folder, file.c_str(), 0);
  }
  if (::unlinkat(folder, family.c_str(), 0) < 0) return -errno;
  return static_cast<int>(removed);
}

int Sweep(const std::string& folder, std::vector<SweptFamily>* swept) {
  UniqueFd opened;
  int status = register_file::OpenFolder(folder, &opened);
  if (status == -ENOENT) return 0;
  std::vector<std::string> files;
  if (status == 0) status = ListFiles(opened.get(), &files);
  if (status < 0) return status;
  for (const std::string& file : files) {
    if (register_file::IsFamily(file)) {
      const int removed = RemoveIfDeserted(opened.get(), file);
      if (removed >= 0) swept->push_back({file, removed});
      continue;
    }
    const std::string family = register_file::FamilyOfFile(file);
    if (!family.empty() && register_file::IsMissing(opened.get(), family))
      ::unlinkat(opened.get(), file.c_str(), 0);
  }
  return 0;
}

int ListFamilies(const std::string& folder, std::vector<std::string>* families) {
  UniqueFd opened;
  int status = register_file::OpenFolder(folder, &opened);
  if (status == -ENOENT) return 0;
  if (status == 0) status = ListFiles(opened.get(), families);
  std::erase_if(*families, [](const std::string& file) { return !register_file::IsFamily(file); });
  return status;
}

int ReadRegister(const std::string& folder, const std::string& family,
                 std::vector<RegisteredName>* names) {
  if (!register_file::IsFamily(family)) return -EINVAL;
  UniqueFd opened;
  UniqueFd found;
  int status = register_file::OpenFolder(folder, &opened);
  if (status == 0) status = register_file::Open(opened.get(), family, O_RDONLY, &found);
  std::vector<register_file::ListedName> listed;
  if (status == 0) status = register_file::ReadNames(found.get(), family, &listed);
  std::set<std::string> seen;
  for (const auto& [name, label] : listed) {
    if (seen.insert(name).second) names->push_back({name, label, SemaphoreExists(name)});
  }
  return status;
}

int ListMembers(const std::string& folder, std::vector<std::pair<std::string, pid_t>>* members) {
  const std::string prefix = folder + "/";
  std::set<std::pair<std::string, pid_t>> found;
  // Every member holds the register's lock by a descriptor.
  const int status = platform::ForEachDescriptor([&](pid_t pid, int, std::string_view target) {
    if (target.substr(0, prefix.size()) != prefix) return;
    const std::string_view file = target.substr(prefix.size());
    if (register_file::IsFamily(file)) found.insert({std::string(file), pid});
  });
  members->assign(found.begin(), found.end());
  return status;
}

}  // namespace mp
