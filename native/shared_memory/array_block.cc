// SPDX-License-Identifier: MIT
#include "shared_memory/array_block.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/platform.h"
#include "os/processes.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"
#include "shared_memory/shared_file.h"
#include "util/steps.h"

namespace mp {

namespace {

constexpr const char* kKind = "array";
constexpr int kAttempts = 100;

int Lock(int fd, int operation) noexcept {
  return sys::RetryOnInterrupt([&] { return ::flock(fd, operation); });
}

uint64_t NextTicket() noexcept {
  static std::atomic<uint32_t> last{0};
  // A ticket of 0 would be none.
  const uint64_t sequence = (last.fetch_add(1) & 0x3fffffff) + 1;
  return platform::ThisProcess().pid * (uint64_t{1} << 31) + sequence;
}

}  // namespace

bool ArrayBlock::IsBlock(const std::string& file) {
  const std::string family = register_file::FamilyOfFile(file);
  return !family.empty() && file.starts_with(family + "." + kKind + ".");
}

int ArrayBlock::Create(const std::shared_ptr<Family>& family, size_t size,
                       std::shared_ptr<ArrayBlock>* out) {
  UniqueFd folder;
  int status = register_file::OpenFolder(family->folder(), &folder);
  if (status < 0) return status;
  std::string file;
  UniqueFd fd;
  status = -EEXIST;
  for (int attempt = 0; status == -EEXIST && attempt < kAttempts; attempt++) {
    uint32_t number = 0;
    if (::getentropy(&number, sizeof number) < 0) return -errno;
    file = register_file::BlockFile(family->name(), kKind, number);
    status = register_file::Open(folder.get(), file, O_RDWR | O_CREAT | O_EXCL, &fd);
  }
  if (status < 0) return status;
  Step();
  const size_t bytes = kHeaderBytes + size;
  status = platform::AllocateFile(fd.get(), static_cast<off_t>(bytes));
  std::shared_ptr<SharedMapping> mapping;
  if (status >= 0) status = SharedMapping::Map(fd.get(), bytes, &mapping);
  if (status < 0) {
    ::unlinkat(folder.get(), file.c_str(), 0);
    return status;
  }
  Step();
  out->reset(new ArrayBlock(family->folder(), file, std::move(fd), std::move(mapping), true));
  Word* header = (*out)->header();
  const platform::ProcessIdentity self = platform::ThisProcess();
  header[kOwner].store(self.pid);
  header[kOwner + 1].store(self.start);
  header[kOwner + 2].store(self.pid_namespace);
  Step();
  header[kMagicWord].store(kMagic);
  return 0;
}

int ArrayBlock::OpenFile(const std::string& file, std::string* folder, UniqueFd* out) {
  if (!IsBlock(file)) return -EINVAL;
  int status = FolderOf(register_file::FamilyOfFile(file), folder);
  UniqueFd opened;
  if (status >= 0) status = register_file::OpenFolder(*folder, &opened);
  if (status >= 0) status = register_file::Open(opened.get(), file, O_RDWR, out);
  return status;
}

int ArrayBlock::Open(const std::string& file, uint64_t generation, const ArrayTicket& ticket,
                     std::shared_ptr<ArrayBlock>* out) {
  std::string folder;
  UniqueFd fd;
  int status = OpenFile(file, &folder, &fd);
  if (status < 0) return status;
  // Waits only while the owner finds out whether the block is in use.
  status = Lock(fd.get(), LOCK_SH);
  struct stat info {};
  if (status >= 0) status = platform::FileStatus(fd.get(), &info);
  if (status >= 0 && info.st_size <= static_cast<off_t>(kHeaderBytes)) status = -EPROTO;
  std::shared_ptr<SharedMapping> mapping;
  if (status >= 0)
    status = SharedMapping::Map(fd.get(), static_cast<size_t>(info.st_size), &mapping);
  if (status < 0) return status;
  Step();
  std::shared_ptr<ArrayBlock> block(
      new ArrayBlock(folder, file, std::move(fd), std::move(mapping), false));
  Word* header = block->header();
  if (header[kMagicWord].load() != kMagic) return -EPROTO;
  const bool is_stale = header[kGeneration].load() != generation;
  block->EndTicket(ticket);
  if (is_stale) return -ESTALE;
  *out = std::move(block);
  return 0;
}

void ArrayBlock::EndTicket(Word* header, const ArrayTicket& ticket) noexcept {
  if (ticket.word < kFirstTicket || ticket.word >= kWords || ticket.value == 0) return;
  uint64_t expected = ticket.value;
  header[ticket.word].compare_exchange_strong(expected, 0);
}

int ArrayBlock::MapHeader(const std::string& file, std::shared_ptr<SharedMapping>* out) noexcept {
  std::string folder;
  UniqueFd fd;
  struct stat info {};
  int status = OpenFile(file, &folder, &fd);
  if (status >= 0) status = platform::FileStatus(fd.get(), &info);
  if (status >= 0 && info.st_size <= static_cast<off_t>(kHeaderBytes)) status = -EPROTO;
  return status < 0 ? status : SharedMapping::Map(fd.get(), kHeaderBytes, out);
}

void ArrayBlock::EndTicket(const std::string& file, const ArrayTicket& ticket) noexcept {
  std::shared_ptr<SharedMapping> mapping;
  if (MapHeader(file, &mapping) >= 0) EndTicket(static_cast<Word*>(mapping->data()), ticket);
}

bool ArrayBlock::IsOver(const Sent& sent) noexcept {
  std::shared_ptr<SharedMapping> mapping;
  const int status = MapHeader(sent.file, &mapping);
  // With a descriptor, or memory, a later look can tell.
  if (status < 0) return !sys::IsShortage(status);
  Word* header = static_cast<Word*>(mapping->data());
  if (IsCurrent(header, sent.ticket) && sent.route && !sent.route->HasEnded()) return false;
  EndTicket(header, sent.ticket);
  return true;
}

std::vector<ArrayBlock::Sent> ArrayBlock::TakeSent() {
  std::vector<Sent> sent = std::move(sent_);
  std::erase_if(sent,
                [&](const Sent& each) { return !each.route || !IsCurrent(header(), each.ticket); });
  for (Sent& each : sent) each.file = file_;
  return sent;
}

void ArrayBlock::EndLost() noexcept {
  for (Sent& each : sent_) {
    if (!each.route) continue;
    if (IsCurrent(header(), each.ticket) && !each.route->HasEnded()) continue;
    EndTicket(each.ticket);
    each = {};
  }
}

bool ArrayBlock::HasTickets(const Word* header) noexcept {
  return std::any_of(header + kFirstTicket, header + kWords,
                     [](const Word& word) { return word.load(std::memory_order_relaxed) != 0; });
}

int ArrayBlock::AddTicket(ArrayTicket* out, std::shared_ptr<MessageRoute> route) {
  was_sent_.store(true);
  const uint64_t value = NextTicket();
  constexpr uint32_t kCount = kFirstOfPython - kFirstTicket;
  // One after the other, so that a word is not used again at once.
  for (uint32_t i = 0; i < 2 * kCount; i++) {
    if (i == kCount) EndLost();
    const auto place = static_cast<uint32_t>((value + i) % kCount);
    uint64_t free = 0;
    if (!header()[kFirstTicket + place].compare_exchange_strong(free, value)) continue;
    *out = {kFirstTicket + place, value};
    if (route && sent_.empty()) sent_.resize(kCount);
    if (!sent_.empty()) sent_[place] = {{}, *out, std::move(route)};
    return 0;
  }
  return -ENOSPC;
}

void ArrayBlock::EndTicketsOf(Word* header, uint32_t pid) noexcept {
  for (uint32_t word = kFirstTicket; word < kWords; word++) {
    uint64_t value = header[word].load();
    if (value >> 31 == pid) header[word].compare_exchange_strong(value, 0);
  }
}

bool ArrayBlock::Reclaim() noexcept {
  if (!was_sent_.load()) return true;
  if (Lock(fd_.get(), LOCK_EX | LOCK_NB) < 0) return false;
  EndLost();
  // With the lock: a process that maps it has the other kind of lock before it clears its ticket.
  const bool is_free = !HasTickets(header());
  if (is_free) {
    header()[kGeneration].fetch_add(1);
    was_sent_.store(false);
    sent_.clear();
  }
  (void)Lock(fd_.get(), LOCK_UN);
  return is_free;
}

void ArrayBlock::Unlink() noexcept {
  ::unlink((folder_ + '/' + file_).c_str());
  // Python keeps mappings of blocks that it does not use.
  platform::EmptyFile(fd_.get(), kHeaderBytes);
}

void ArrayBlock::RemoveIfDeserted(int folder, const std::string& file, uint32_t sender) noexcept {
  UniqueFd fd;
  struct stat info {};
  std::shared_ptr<SharedMapping> mapping;
  if (register_file::Open(folder, file, O_RDWR, &fd) < 0) return;
  if (platform::FileStatus(fd.get(), &info) < 0 || info.st_size <= off_t{kHeaderBytes}) return;
  if (SharedMapping::Map(fd.get(), kHeaderBytes, &mapping) < 0) return;
  Word* header = static_cast<Word*>(mapping->data());
  // One that is being made has no owner yet.
  if (header[kMagicWord].load() != kMagic) return;
  const platform::ProcessIdentity owner{static_cast<uint32_t>(header[kOwner].load()),
                                        header[kOwner + 1].load(), header[kOwner + 2].load()};
  if (!platform::IsDead(owner) || Lock(fd.get(), LOCK_EX | LOCK_NB) < 0) return;
  if (sender != 0) EndTicketsOf(header, sender);
  if (HasTickets(header)) return;
  ::unlinkat(folder, file.c_str(), 0);
  platform::EmptyFile(fd.get(), kHeaderBytes);
}

}  // namespace mp
