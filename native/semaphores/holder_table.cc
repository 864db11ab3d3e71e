// SPDX-License-Identifier: MIT
#include "semaphores/holder_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "os/platform.h"
#include "os/processes.h"
#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp {

using namespace holder_state;

namespace {

constexpr uint64_t kMagic = 0x31726c6864706d6e;
// The file begins with one chunk and grows by whole chunks. All that it may become is mapped from
// the start: memory behind its end becomes usable when it grows.
constexpr size_t kChunkBytes = 65536;
constexpr uint32_t kMaxChunks = 64;
constexpr size_t kHeaderRecords = 2;
// The rest of the first chunk, from this record on, belongs to Python members (lib/python/records).
// These claim records one process at a time, since Python has no compare-and-swap, so no other
// member may claim them.
constexpr size_t kFirstOfPython = 1024;
constexpr size_t kEndOfPython = kChunkBytes / sizeof(HolderTable::Record) - kHeaderRecords;

// The state while a record is being filled in. No semaphore has this number. The owner that such a
// record names is the one before, so its death does not make the record free.
constexpr uint64_t kClaimed = ~uint64_t{0} << 32 | static_cast<uint64_t>(Phase::kFilling);

}  // namespace

struct HolderTable::Page {
  std::atomic<uint64_t> magic;
  std::atomic<uint32_t> next_number;
  std::atomic<uint32_t> all_exposed;  // Set when no record was left to mark a single semaphore.
  std::atomic<uint32_t> claims;
  std::atomic<uint32_t> chunks;
  uint32_t reserved[10];
  Record records[1];  // And all that follow in the chunks.
};

int HolderTable::Open(const std::string& path, bool create, std::shared_ptr<HolderTable>* out) {
  static_assert(sizeof(Record) == 32 && offsetof(Page, records) == kHeaderRecords * sizeof(Record));
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
  const UniqueFd fd(static_cast<int>(
      sys::RetryOnInterrupt([&] { return ::open(path.c_str(), flags, S_IRUSR | S_IWUSR); })));
  if (fd.get() < 0) return fd.get();
  struct stat info {};
  int status = platform::FileStatus(fd.get(), &info);
  if (status < 0) return status;
  if (!create && info.st_size < static_cast<off_t>(kChunkBytes)) return -EIO;
  // Without a reservation, a full file system would raise SIGBUS at the first use.
  if (create) status = platform::AllocateFile(fd.get(), kChunkBytes);
  if (status < 0) return status;
  void* memory =
      ::mmap(nullptr, kMaxChunks * kChunkBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return -errno;
  std::shared_ptr<HolderTable> table(new HolderTable(path, info, static_cast<Page*>(memory)));
  // A new file consists of zeros.
  uint32_t none = 0;
  if (create) table->page_->chunks.compare_exchange_strong(none, 1);
  uint64_t found = 0;
  if (create) table->page_->magic.compare_exchange_strong(found, kMagic);
  found = table->page_->magic.load();
  if (found != kMagic) return found == 0 ? -EIO : -EPROTO;
  *out = std::move(table);
  return 0;
}

HolderTable::HolderTable(std::string path, const struct stat& file, Page* page)
    : path_(std::move(path)),
      device_(file.st_dev),
      inode_(file.st_ino),
      page_(page),
      mapping_(new GuardedMapping(page, kMaxChunks * kChunkBytes)) {}

HolderTable::~HolderTable() {
  mapping_.reset();
  ::munmap(page_, kMaxChunks * kChunkBytes);
}

bool HolderTable::IsIntact() const noexcept {
  return page_->magic.load(std::memory_order_relaxed) == kMagic;
}

uint32_t HolderTable::NextNumber() noexcept { return page_->next_number.fetch_add(1) + 1; }

std::span<HolderTable::Record> HolderTable::Records() noexcept {
  const uint32_t chunks = std::clamp<uint32_t>(page_->chunks.load(), 1, kMaxChunks);
  return {page_->records, chunks * kChunkBytes / sizeof(Record) - kHeaderRecords};
}

// Several processes may do this at the same time: the file then grows once.
bool HolderTable::Grow() noexcept {
  uint32_t chunks = page_->chunks.load();
  if (chunks >= kMaxChunks || !IsIntact()) return false;
  const UniqueFd fd(static_cast<int>(sys::RetryOnInterrupt(
      [&] { return ::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW); })));
  struct stat info {};
  if (fd.get() < 0 || platform::FileStatus(fd.get(), &info) < 0) return false;
  if (info.st_dev != device_ || info.st_ino != inode_) return false;
  const off_t size = static_cast<off_t>(chunks + 1) * static_cast<off_t>(kChunkBytes);
  if (platform::AllocateFile(fd.get(), size) < 0) return false;
  page_->chunks.compare_exchange_strong(chunks, chunks + 1);
  return true;
}

// Claims a record by the state `claimed`: with `reclaim`, one that a dead process has left idle.
HolderTable::Record* HolderTable::FindFree(bool reclaim, uint64_t claimed) noexcept {
  // A process has many records one after the other, and is asked about once.
  uint32_t pid = 0;
  uint64_t start = 0;
  bool dead = false;
  const std::span<Record> records = Records();
  for (size_t i = 0; i < records.size(); i++) {
    if (i == kFirstOfPython) i = kEndOfPython;
    if (i == records.size()) break;
    Record& record = records[i];
    uint64_t state = record.state.load(std::memory_order_acquire);
    if (state != 0 && reclaim && PhaseIn(state) == Phase::kIdle) {
      if (pid != record.pid.load() || start != record.start.load()) {
        pid = record.pid.load();
        start = record.start.load();
        dead = IsDead(record);
      }
      if (!dead || !IsDead(record)) continue;
    } else if (state != 0) {
      continue;
    }
    if (record.state.compare_exchange_strong(state, claimed)) return &record;
  }
  return nullptr;
}

HolderTable::Record* HolderTable::Claim(uint32_t number) noexcept {
  Record* record = FindFree(false, kClaimed);
  if (record == nullptr) record = FindFree(true, kClaimed);
  while (record == nullptr && Grow()) record = FindFree(false, kClaimed);
  if (record == nullptr) return nullptr;
  const platform::ProcessIdentity self = platform::ThisProcess();
  record->start.store(self.start, std::memory_order_relaxed);
  record->space.store(self.pid_namespace, std::memory_order_relaxed);
  record->pid.store(self.pid, std::memory_order_relaxed);
  record->tag.store(page_->claims.fetch_add(1) % 0xffff + 1, std::memory_order_relaxed);
  Set(record, number, Phase::kIdle, 0);
  return record;
}

HolderTable::Record* HolderTable::Put(uint64_t state) noexcept {
  Record* record = FindFree(false, state);
  while (record == nullptr && Grow()) record = FindFree(false, state);
  return record;
}

uint32_t HolderTable::Count(const Record* record, Phase phase) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  return PhaseIn(state) == phase ? CountOf(state) : 0;
}

Phase HolderTable::PhaseOf(const Record* record) noexcept {
  return PhaseIn(record->state.load(std::memory_order_acquire));
}

bool HolderTable::Move(Record* record, Phase from, Phase to) noexcept {
  uint64_t state = record->state.load(std::memory_order_acquire);
  if (PhaseIn(state) != from) return false;
  // Turns wrap around.
  const uint32_t turn = (CountOf(state) + (to == Phase::kTaking ? 1 : 0)) & kMaxCount;
  const uint64_t moved = Pack(NumberOf(state), TagOf(state), to, turn);
  return record->state.compare_exchange_strong(state, moved);
}

void HolderTable::SetSlots(Record* record, uint32_t number, uint32_t count, Phase phase) noexcept {
  const uint64_t before = record->state.load(std::memory_order_acquire);
  record->state.store(PackSlots(number, SlotTurnOf(before) + 1, phase, count));
}

void HolderTable::Abandon(Record* record) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  const uint32_t number = NumberOf(state);
  const Phase phase = PhaseIn(state);
  const bool remains = IsHolding(phase) || (phase == Phase::kWaiting && CountOf(state) > 0);
  if (remains) {
    Set(record, number, Orphaned(phase), CountOf(state));
  } else {
    record->state.store(0, std::memory_order_release);
  }
  if (HasMark(number, Phase::kClosed)) ForgetIfUnused(number);
}

void HolderTable::Leave(Record* record, uint32_t number, uint32_t items) noexcept {
  SetSlots(record, number, items, Phase::kLeft);
  if (HasMark(number, Phase::kClosed)) ForgetIfUnused(number);
}

HolderTable::Seen HolderTable::Collect(uint32_t number) noexcept {
  Seen seen;
  ForEach(number, [&](Record& record, uint64_t state) {
    seen.emplace_back(&record, state);
    return true;
  });
  return seen;
}

bool HolderTable::IsDead(const Record& record) noexcept {
  return platform::IsDead({record.pid.load(std::memory_order_relaxed),
                           record.start.load(std::memory_order_relaxed),
                           record.space.load(std::memory_order_relaxed)});
}

bool HolderTable::IsOfPython(const Record& record) const noexcept {
  return &record >= page_->records + kFirstOfPython && &record < page_->records + kEndOfPython;
}

bool HolderTable::ClearHolder(uint32_t number) noexcept {
  bool cleared = true;
  ForEach(number, [&](Record& record, uint64_t state) {
    const Phase phase = PhaseIn(state);
    if (!IsHolding(phase) && !IsOrphanedHolder(phase)) return true;
    const uint64_t after =
        IsHolding(phase) ? Pack(number, TagOf(state), Phase::kIdle, CountOf(state)) : 0;
    cleared = record.state.compare_exchange_strong(state, after);
    return false;
  });
  return cleared;
}

HolderTable::Record* HolderTable::AddMark(uint32_t number, Phase phase) noexcept {
  Record* found = FindMark(number, phase);
  if (found == nullptr) found = Put(Pack(number, 0, phase, 0));
  // Without a free record for this semaphore, all count as exposed.
  if (found == nullptr && phase == Phase::kExposed) page_->all_exposed.store(1);
  return found;
}

HolderTable::Record* HolderTable::FindMark(uint32_t number, Phase phase) noexcept {
  Record* found = nullptr;
  ForEach(number, [&](Record& record, uint64_t state) {
    if (PhaseIn(state) == phase) found = &record;
    return found == nullptr;
  });
  return found;
}

HolderTable::Record* HolderTable::QueueFlags(uint32_t number, bool make) noexcept {
  return make ? AddMark(number, Phase::kQueue) : FindMark(number, Phase::kQueue);
}

uint32_t HolderTable::Flags(const Record* record, uint32_t number) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  return NumberOf(state) == number && PhaseIn(state) == Phase::kQueue ? CountOf(state) : 0;
}

void HolderTable::AddFlags(Record* record, uint32_t number, uint32_t flags) noexcept {
  uint64_t state = record->state.load(std::memory_order_acquire);
  while (NumberOf(state) == number && PhaseIn(state) == Phase::kQueue) {
    const uint64_t added = Pack(number, TagOf(state), Phase::kQueue, CountOf(state) | flags);
    if (record->state.compare_exchange_weak(state, added)) return;
  }
}

void HolderTable::Expose(uint32_t number) noexcept { AddMark(number, Phase::kExposed); }

bool HolderTable::IsExposed(uint32_t number) noexcept {
  return page_->all_exposed.load() != 0 || HasMark(number, Phase::kExposed);
}

void HolderTable::Close(uint32_t number) noexcept {
  AddMark(number, Phase::kClosed);
  ForgetIfUnused(number);
}

// Only for a semaphore whose name is gone: no process can open it while this function reads.
void HolderTable::ForgetIfUnused(uint32_t number) noexcept {
  bool used = false;
  ForEach(number, [&](Record& record, uint64_t state) {
    used = HasOwner(PhaseIn(state)) && !IsDead(record);
    return !used;
  });
  if (used) return;
  ForEach(number, [](Record& record, uint64_t state) {
    record.state.compare_exchange_strong(state, 0);
    return true;
  });
}

}  // namespace mp
