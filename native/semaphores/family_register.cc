// SPDX-License-Identifier: MIT
#include "semaphores/family_register.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "os/platform.h"
#include "os/sys.h"

namespace mp {

namespace {

constexpr size_t kLineBytes = 32;
// The newline aside.
constexpr size_t kTextBytes = kLineBytes - 1;
constexpr size_t kMaxRegisterBytes = 4 * 1024 * 1024;
constexpr size_t kMaxFamilyLength = 16;
constexpr size_t kRandomCharacters = 9;
constexpr int kTries = 100;
constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kHolders = ".holders";

// musl and glibc lay out semaphores differently, so the name tells whose they are.
#if defined(__linux__) && !defined(__GLIBC__)
constexpr const char* kLibraryPrefix = "m";
#else
constexpr const char* kLibraryPrefix = "";
#endif

#ifdef O_PATH
constexpr int kLook = O_PATH;
#else
constexpr int kLook = O_RDONLY;
#endif

bool IsPlain(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

bool IsFamily(std::string_view name) noexcept {
  return IsPlain(name) && name.size() <= kMaxFamilyLength;
}

std::string NamePrefix(const std::string& family) { return "/mp-" + family + "-"; }

int RandomFamily(std::string* out) {
  *out = kLibraryPrefix;
  const size_t length = out->size() + kRandomCharacters;
  while (out->size() < length) {
    uint8_t byte = 0;
    if (::getentropy(&byte, 1) < 0) return -errno;
    // The last bytes would make some characters more likely than others.
    if (byte < 256 / kDigits.size() * kDigits.size()) *out += kDigits[byte % kDigits.size()];
  }
  return 0;
}

// Never through a symbolic link, never waiting for a FIFO's other end, and never with the number of
// a standard stream.
int OpenAt(int folder, const std::string& name, int flags, UniqueFd* out) {
  const int all = flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const int fd = sys::RetryOnInterrupt([&] { return ::openat(folder, name.c_str(), all, 0600); });
  if (fd < 0) return fd == -ELOOP ? -EPERM : fd;
  out->Reset(fd);
  if (fd > STDERR_FILENO) return 0;
  const int lifted = sys::Duplicate(fd);
  out->Reset(lifted);
  return std::min(lifted, 0);
}

// All else is done below the descriptor, so what was verified is what is used.
int OpenFolder(const std::string& folder, UniqueFd* out) {
  int status = OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, out);
  if (status == -ENOTDIR || status == -EACCES) return -EPERM;
  if (status < 0) return status;
  struct stat info {};
  status = platform::FileStatus(out->get(), &info);
  if (status < 0) return status;
  return info.st_uid == ::geteuid() && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0 ? 0 : -EPERM;
}

int CheckRegister(int fd) noexcept {
  struct stat info {};
  const int status = platform::FileStatus(fd, &info);
  if (status < 0) return status;
  return S_ISREG(info.st_mode) && info.st_uid == ::geteuid() ? 0 : -EPERM;
}

int OpenRegister(int folder, const std::string& family, int flags, UniqueFd* out) {
  const int status = OpenAt(folder, family, flags, out);
  return status < 0 ? status : CheckRegister(out->get());
}

// 0 or -ESTALE.
int CheckSame(int one, int other) noexcept {
  struct stat first {};
  struct stat second {};
  int status = platform::FileStatus(one, &first);
  if (status == 0) status = platform::FileStatus(other, &second);
  if (status < 0) return status;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino ? 0 : -ESTALE;
}

// 0 when the path leads to the open file, -ENOENT when to nothing, -ESTALE when to another one.
int CheckPath(int folder, const std::string& name, int fd) {
  UniqueFd found;
  const int status = OpenAt(folder, name, kLook, &found);
  return status < 0 ? status : CheckSame(found.get(), fd);
}

int Lock(int fd, int operation) noexcept {
  return sys::RetryOnInterrupt([=] { return ::flock(fd, operation); });
}

// The shared lock of a register that is still the one at its path: whoever had the exclusive lock
// before has removed it. Otherwise -ENOENT or -ESTALE.
int LockShared(int folder, const std::string& family, int fd) {
  const int status = Lock(fd, LOCK_SH);
  return status < 0 ? status : CheckPath(folder, family, fd);
}

bool IsReplaced(int status) noexcept { return status == -ENOENT || status == -ESTALE; }

// The names that the register of a family without members lists. Anything else in it is ignored,
// so that it can make nobody remove what is not the family's.
int ReadNames(int fd, const std::string& family, std::vector<std::string>* names) {
  struct stat info {};
  const int status = platform::FileStatus(fd, &info);
  if (status < 0) return status;
  std::string text(std::min(static_cast<size_t>(info.st_size), kMaxRegisterBytes), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = sys::RetryOnInterrupt([&] {
      return ::pread(fd, text.data() + have, text.size() - have, static_cast<off_t>(have));
    });
    if (n < 0) return static_cast<int>(n);
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  text.resize(have);
  const std::string prefix = NamePrefix(family);
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end - begin < kTextBytes) continue;
    // Before a whole line there may be the beginning of one for which there was no space.
    std::string name = text.substr(end - kTextBytes, kTextBytes);
    name.erase(name.find_last_not_of(' ') + 1);
    if (name.starts_with(prefix) && IsPlain(std::string_view(name).substr(prefix.size())))
      names->push_back(std::move(name));
  }
  return 0;
}

// Whether there was one. glibc keeps "/x" in /dev/shm/sem.x and musl in /dev/shm/x; sem_unlink()
// knows one place only, and once the register is gone nobody looks at the other one.
bool UnlinkSemaphore(const std::string& name) {
  if (::sem_unlink(name.c_str()) == 0) return true;
#if defined(__GLIBC__)
  return errno == ENOENT && ::unlink(("/dev/shm" + name).c_str()) == 0;
#elif defined(__linux__)
  return errno == ENOENT && ::unlink(("/dev/shm/sem." + name.substr(1)).c_str()) == 0;
#else
  return false;
#endif
}

// The register goes last: whoever is killed in between leaves the rest to the next one who sweeps.
// Returns the number of names that were there; -EWOULDBLOCK when the family has members.
int RemoveIfDeserted(int folder, const std::string& family) {
  UniqueFd lock;
  int status = OpenRegister(folder, family, O_RDONLY, &lock);
  if (status == 0) status = Lock(lock.get(), LOCK_EX | LOCK_NB);
  if (status == 0) status = CheckPath(folder, family, lock.get());
  std::vector<std::string> names;
  if (status == 0) status = ReadNames(lock.get(), family, &names);
  if (status < 0) return status;
  const auto removed = std::count_if(names.begin(), names.end(), UnlinkSemaphore);
  ::unlinkat(folder, (family + std::string(kHolders)).c_str(), 0);
  if (::unlinkat(folder, family.c_str(), 0) < 0) return -errno;
  return static_cast<int>(removed);
}

int ListFolder(int folder, std::vector<std::string>* names) {
  UniqueFd copy(sys::Duplicate(folder));
  DIR* directory = ::fdopendir(copy.get());
  if (directory == nullptr) return -errno;
  // closedir() closes it.
  (void)copy.Release();
  while (const dirent* entry = ::readdir(directory)) names->emplace_back(entry->d_name);
  ::closedir(directory);
  return 0;
}

}  // namespace

std::string FamilyFolder() {
#ifdef __APPLE__
  const std::string parent = "/private/tmp";
#else
  const std::string parent = "/dev/shm";
#endif
  return parent + "/mp-" + std::to_string(::geteuid());
}

FamilyMember::FamilyMember(const std::string& folder, const std::string& family, UniqueFd lock)
    : folder_(folder), family_(family), lock_(std::move(lock)) {}

FamilyMember::~FamilyMember() { Leave(); }

int FamilyMember::Create(const std::string& folder, std::unique_ptr<FamilyMember>* out) {
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return -errno;
  UniqueFd opened;
  int status = OpenFolder(folder, &opened);
  if (status < 0) return status;
  for (int i = 0; i < kTries; i++) {
    std::string family;
    status = RandomFamily(&family);
    if (status < 0) return status;
    UniqueFd lock;
    status = OpenRegister(opened.get(), family, O_RDONLY | O_CREAT | O_EXCL, &lock);
    if (status == -EEXIST) continue;
    // Somebody who sweeps may have been faster than the lock.
    if (status == 0) status = Enter(folder, opened.get(), family, std::move(lock), out);
    if (!IsReplaced(status)) return status;
  }
  return -EAGAIN;
}

int FamilyMember::Join(const std::string& folder, const std::string& family,
                       std::unique_ptr<FamilyMember>* out) {
  if (!IsFamily(family)) return -EINVAL;
  UniqueFd opened;
  int status = OpenFolder(folder, &opened);
  if (status < 0) return status;
  for (int i = 0; i < kTries; i++) {
    UniqueFd lock;
    status = OpenRegister(opened.get(), family, O_RDONLY, &lock);
    if (status < 0) return status;
    status = Enter(folder, opened.get(), family, std::move(lock), out);
    if (!IsReplaced(status)) return status;
  }
  return -EAGAIN;
}

int FamilyMember::Adopt(const std::string& folder, const std::string& family, UniqueFd fd,
                        std::unique_ptr<FamilyMember>* out) {
  UniqueFd opened;
  int status = IsFamily(family) ? OpenFolder(folder, &opened) : -EINVAL;
  if (status == 0) status = CheckPath(opened.get(), family, fd.get());
  if (status == 0) status = CheckRegister(fd.get());
  if (status == 0) status = sys::SetCloseOnExec(fd.get());
  if (status < 0) {
    (void)fd.Release();
    return status;
  }
  std::unique_ptr<FamilyMember> member(new FamilyMember(folder, family, std::move(fd)));
  status = member->OpenOwnDescriptors(opened.get());
  if (status == 0) *out = std::move(member);
  return status;
}

// -ENOENT or -ESTALE if somebody has removed the register before it could be locked.
int FamilyMember::Enter(const std::string& folder, int opened, const std::string& family,
                        UniqueFd lock, std::unique_ptr<FamilyMember>* out) {
  int status = LockShared(opened, family, lock.get());
  if (status < 0) return status;
  std::unique_ptr<FamilyMember> member(new FamilyMember(folder, family, std::move(lock)));
  status = member->OpenOwnDescriptors(opened);
  if (status == 0) *out = std::move(member);
  return status;
}

int FamilyMember::OpenOwnDescriptors(int folder) {
  int status = OpenRegister(folder, family_, O_WRONLY | O_APPEND, &append_);
  if (status == 0) status = CheckSame(append_.get(), lock_.get());
  if (status == 0) status = OpenRegister(folder, family_, O_WRONLY, &rewrite_);
  if (status == 0) status = CheckSame(rewrite_.get(), lock_.get());
  return status;
}

bool FamilyMember::IsCurrent() const {
  UniqueFd folder;
  int status = OpenFolder(folder_, &folder);
  if (status == 0) status = CheckPath(folder.get(), family_, lock_.get());
  return !IsReplaced(status);
}

std::string FamilyMember::NameOf(uint32_t n) const {
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[n % kDigits.size()]);
    n /= kDigits.size();
  } while (n > 0);
  return NamePrefix(family_) + digits;
}

std::string FamilyMember::HoldersPath() const {
  return folder_ + "/" + family_ + std::string(kHolders);
}

int FamilyMember::WriteLine(off_t offset, const std::string& text) const noexcept {
  const ssize_t n = sys::RetryOnInterrupt(
      [&] { return ::pwrite(rewrite_.get(), text.data(), text.size(), offset); });
  if (n < 0) return static_cast<int>(n);
  return static_cast<size_t>(n) == text.size() ? 0 : -EIO;
}

int FamilyMember::AddName(uint32_t n) {
  const std::lock_guard guard(mutex_);
  if (!lock_) return -EBADF;
  if (lines_.contains(n)) return 0;
  std::string line = NameOf(n);
  line.resize(kTextBytes, ' ');
  line += '\n';
  if (!free_.empty()) {
    const int status = WriteLine(free_.back(), line);
    if (status < 0) return status;
    lines_[n] = free_.back();
    free_.pop_back();
    return 0;
  }
  const ssize_t written =
      sys::RetryOnInterrupt([&] { return ::write(append_.get(), line.data(), line.size()); });
  if (written < 0) return static_cast<int>(written);
  if (static_cast<size_t>(written) < line.size()) return -ENOSPC;
  const off_t end = ::lseek(append_.get(), 0, SEEK_CUR);
  if (end < 0) return -errno;
  lines_[n] = end - static_cast<off_t>(kLineBytes);
  return 0;
}

void FamilyMember::RemoveName(uint32_t n) {
  const std::lock_guard guard(mutex_);
  const auto line = lines_.find(n);
  if (!lock_ || line == lines_.end()) return;
  // If that fails the name stays registered, which does no harm.
  if (WriteLine(line->second, std::string(kTextBytes, ' ') + '\n') < 0) return;
  free_.push_back(line->second);
  lines_.erase(line);
}

bool FamilyMember::Leave() {
  const std::lock_guard guard(mutex_);
  if (!lock_) return false;
  lock_.Reset();
  append_.Reset();
  rewrite_.Reset();
  UniqueFd opened;
  return OpenFolder(folder_, &opened) == 0 && RemoveIfDeserted(opened.get(), family_) >= 0;
}

int Sweep(const std::string& folder, std::vector<SweptFamily>* swept) {
  UniqueFd opened;
  int status = OpenFolder(folder, &opened);
  if (status == -ENOENT) return 0;
  std::vector<std::string> names;
  if (status == 0) status = ListFolder(opened.get(), &names);
  if (status < 0) return status;
  for (const std::string& name : names) {
    if (IsFamily(name)) {
      const int removed = RemoveIfDeserted(opened.get(), name);
      if (removed >= 0) swept->push_back({name, removed});
    } else if (name.ends_with(kHolders)) {
      const std::string family = name.substr(0, name.size() - kHolders.size());
      UniqueFd found;
      if (IsFamily(family) && OpenAt(opened.get(), family, kLook, &found) == -ENOENT)
        ::unlinkat(opened.get(), name.c_str(), 0);
    }
  }
  return 0;
}

}  // namespace mp
