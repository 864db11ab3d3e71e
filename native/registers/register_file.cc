// SPDX-License-Identifier: MIT
#include "registers/register_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "os/platform.h"
#include "os/sys.h"

namespace mp::register_file {

namespace {

// Without the newline.
constexpr size_t kTextBytes = kLineBytes - 1;
constexpr size_t kMaxRegisterBytes = 4 * 1024 * 1024;
constexpr size_t kMaxFamilyLength = 16;
constexpr size_t kRandomCharacters = 9;
constexpr std::string_view kHolders = ".holders";

#ifdef O_PATH
constexpr int kPathOnly = O_PATH;
#else
constexpr int kPathOnly = O_RDONLY;
#endif

bool IsAlphanumeric(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

std::string DigitsOf(uint32_t n) {
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[n % kDigits.size()]);
    n /= kDigits.size();
  } while (n > 0);
  return digits;
}

std::string NamePrefix(const std::string& family) { return "/mp-" + family + "-"; }

// Never through a symbolic link, never waiting for the other end of a FIFO, and never with the
// number of a standard stream.
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

}  // namespace

int AppendRandom(std::string* text) {
  const size_t length = text->size() + kRandomCharacters;
  while (text->size() < length) {
    uint8_t byte = 0;
    if (::getentropy(&byte, 1) < 0) return -errno;
    // The last bytes would make some characters more likely than others.
    if (byte < 256 / kDigits.size() * kDigits.size()) *text += kDigits[byte % kDigits.size()];
  }
  return 0;
}

bool IsFamily(std::string_view text) noexcept {
  return IsAlphanumeric(text) && text.size() <= kMaxFamilyLength;
}

std::string SemaphoreName(const std::string& family, uint32_t n) {
  return NamePrefix(family) + DigitsOf(n);
}

std::string HoldersFile(const std::string& family) { return family + std::string(kHolders); }

std::string BlockFile(const std::string& family, std::string_view kind, uint32_t n) {
  return family + "." + std::string(kind) + "." + DigitsOf(n);
}

std::string FamilyOfFile(const std::string& file) {
  const size_t end = file.find('.');
  if (end == std::string::npos) return {};
  const std::string_view rest = std::string_view(file).substr(end);
  const size_t number = rest.find('.', 1);
  const bool block = number != std::string_view::npos &&
                     IsAlphanumeric(rest.substr(1, number - 1)) &&
                     IsAlphanumeric(rest.substr(number + 1));
  std::string family = file.substr(0, end);
  return (block || rest == kHolders) && IsFamily(family) ? family : std::string();
}

int OpenFolder(const std::string& folder, UniqueFd* out) {
  int status = OpenAt(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, out);
  if (status == -ENOTDIR || status == -EACCES) return -EPERM;
  if (status < 0) return status;
  struct stat info {};
  status = platform::FileStatus(out->get(), &info);
  if (status < 0) return status;
  return info.st_uid == ::geteuid() && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0 ? 0 : -EPERM;
}

int Open(int folder, const std::string& family, int flags, UniqueFd* out) {
  const int status = OpenAt(folder, family, flags, out);
  return status < 0 ? status : Check(out->get());
}

int Check(int fd) noexcept {
  struct stat info {};
  const int status = platform::FileStatus(fd, &info);
  if (status < 0) return status;
  return S_ISREG(info.st_mode) && info.st_uid == ::geteuid() ? 0 : -EPERM;
}

int CheckSame(int one, int other) noexcept {
  struct stat first {};
  struct stat second {};
  int status = platform::FileStatus(one, &first);
  if (status == 0) status = platform::FileStatus(other, &second);
  if (status < 0) return status;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino ? 0 : -ESTALE;
}

int CheckPath(int folder, const std::string& family, int fd) {
  UniqueFd found;
  const int status = OpenAt(folder, family, kPathOnly, &found);
  return status < 0 ? status : CheckSame(found.get(), fd);
}

bool IsMissing(int folder, const std::string& family) {
  UniqueFd found;
  return OpenAt(folder, family, kPathOnly, &found) == -ENOENT;
}

std::string FormatLine(std::string text) {
  text.resize(kTextBytes, ' ');
  return text + '\n';
}

namespace {

// Calls with the last `bytes` of each line that is that long, newline included. A whole line may
// follow the beginning of one for which there was no space.
template <typename Use>
int ForEachLine(int fd, size_t bytes, Use use) {
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
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end - begin >= bytes - 1) use(std::string_view(text).substr(end - (bytes - 1), bytes - 1));
  }
  return 0;
}

}  // namespace

int ReadNames(int fd, const std::string& family, std::vector<ListedName>* names) {
  const std::string prefix = NamePrefix(family);
  return ForEachLine(fd, kLineBytes, [&](std::string_view line) {
    const std::string_view text = line.substr(0, line.find_last_not_of(' ') + 1);
    const std::string_view name = text.substr(0, text.find(' '));
    const std::string_view label = text.substr(std::min(name.size() + 1, text.size()));
    if (name.starts_with(prefix) && IsAlphanumeric(name.substr(prefix.size())) &&
        (label.empty() || IsAlphanumeric(label)))
      names->push_back({std::string(name), std::string(label)});
  });
}

int ReadResources(int fd, std::vector<Resource>* resources) {
  return ForEachLine(fd, kResourceLineBytes, [&](std::string_view line) {
    Resource resource;
    if (ParseResource(line, &resource)) resources->push_back(std::move(resource));
  });
}

}  // namespace mp::register_file
