// SPDX-License-Identifier: MIT
#include "semaphores/holder_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "os/platform.h"
#include "os/processes.h"
#include "os/sys.h"
#include "os/unique_fd.h"

namespace mp {

namespace {

constexpr uint64_t kMagic = 0x31726c6864706d6e;
constexpr size_t kBytes = 65536;
constexpr size_t kRecords = kBytes / sizeof(HolderTable::Record) - 2;
// The records from here on belong to Python members (lib/python/records). These claim them
// one process at a time, since Python has no compare-and-swap, so no other member may claim them.
constexpr size_t kFirstOfPython = 1024;

uint32_t NumberOf(uint64_t state) noexcept { return static_cast<uint32_t>(state >> 32); }
Phase PhaseOf(uint64_t state) noexcept { return static_cast<Phase>(state & 0xf); }
uint32_t CountOf(uint64_t state) noexcept { return static_cast<uint32_t>(state >> 4) & 0xfff; }

uint32_t TagOf(uint64_t state) noexcept { return static_cast<uint32_t>(state >> 16) & 0xffff; }

// What a record of this phase becomes when its owner's thread ends; kIdle if nothing remains.
Phase Orphaned(Phase phase) noexcept {
  switch (phase) {
    case Phase::kHolding:
      return Phase::kOrphanedHolder;
    case Phase::kMoving:
      return Phase::kOrphanedMover;
    case Phase::kWaiting:
      return Phase::kOrphanedWaiters;
    case Phase::kReserved:
      return Phase::kOrphanedSlots;
    default:
      return Phase::kIdle;
  }
}

bool IsHolding(Phase phase) noexcept { return phase == Phase::kHolding || phase == Phase::kMoving; }

bool IsOrphanedHolder(Phase phase) noexcept {
  return phase == Phase::kOrphanedHolder || phase == Phase::kOrphanedMover;
}

// The state while a record is being filled in. No semaphore has this number. The owner that such a
// record names is the one before, so its death does not make the record free.
constexpr uint64_t kClaimed = ~uint64_t{0} << 32 | static_cast<uint64_t>(Phase::kFilling);

}  // namespace

struct HolderTable::Page {
  std::atomic<uint64_t> magic;
  std::atomic<uint32_t> next_number;
  std::atomic<uint32_t> all_exposed;  // Set when no record was left to mark a single semaphore.
  std::atomic<uint32_t> claims;
  uint32_t reserved[11];
  Record records[kRecords];

  std::span<Record> Claimable() noexcept { return {records, kFirstOfPython}; }
};

int HolderTable::Open(const std::string& path, bool create, std::shared_ptr<HolderTable>* out) {
  static_assert(sizeof(Record) == 32 && sizeof(Page) == kBytes);
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
  const UniqueFd fd(static_cast<int>(
      sys::RetryOnInterrupt([&] { return ::open(path.c_str(), flags, S_IRUSR | S_IWUSR); })));
  if (fd.get() < 0) return fd.get();
  struct stat info {};
  int status = platform::FileStatus(fd.get(), &info);
  if (status < 0) return status;
  if (!create && info.st_size < static_cast<off_t>(kBytes)) return -EIO;
  // Without a reservation, a full file system would raise SIGBUS at the first use.
  if (create) status = platform::AllocateFile(fd.get(), kBytes);
  if (status < 0) return status;
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return -errno;
  std::shared_ptr<HolderTable> table(new HolderTable(static_cast<Page*>(memory)));
  // A new file consists of zeros.
  uint64_t found = 0;
  if (create) table->page_->magic.compare_exchange_strong(found, kMagic);
  found = table->page_->magic.load();
  if (found != kMagic) return found == 0 ? -EIO : -EPROTO;
  *out = std::move(table);
  return 0;
}

HolderTable::HolderTable(Page* page) : page_(page), mapping_(new GuardedMapping(page, kBytes)) {}

HolderTable::~HolderTable() {
  mapping_.reset();
  ::munmap(page_, kBytes);
}

bool HolderTable::IsIntact() const noexcept {
  return page_->magic.load(std::memory_order_relaxed) == kMagic;
}

uint32_t HolderTable::NextNumber() noexcept { return page_->next_number.fetch_add(1) + 1; }

HolderTable::Record* HolderTable::Claim(uint32_t number) noexcept {
  const platform::ProcessIdentity self = platform::ThisProcess();
  for (const bool reclaim : {false, true}) {
    for (Record& record : page_->Claimable()) {
      uint64_t state = record.state.load(std::memory_order_acquire);
      const bool usable =
          state == 0 || (reclaim && PhaseOf(state) == Phase::kIdle && IsDead(record));
      if (!usable || !record.state.compare_exchange_strong(state, kClaimed)) continue;
      record.start.store(self.start, std::memory_order_relaxed);
      record.space.store(self.pid_namespace, std::memory_order_relaxed);
      record.pid.store(self.pid, std::memory_order_relaxed);
      record.tag.store(page_->claims.fetch_add(1), std::memory_order_relaxed);
      Set(&record, number, Phase::kIdle, 0);
      return &record;
    }
  }
  return nullptr;
}

uint32_t HolderTable::Count(const Record* record, Phase phase) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  return PhaseOf(state) == phase ? CountOf(state) : 0;
}

void HolderTable::Abandon(Record* record) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  const uint32_t number = NumberOf(state);
  const Phase orphaned = Orphaned(PhaseOf(state));
  if (orphaned != Phase::kIdle && CountOf(state) > 0) {
    Set(record, number, orphaned, CountOf(state));
  } else {
    record->state.store(0, std::memory_order_release);
  }
  if (HasMark(number, Phase::kClosed)) ForgetIfUnused(number);
}

template <typename Visit>
void HolderTable::ForEach(uint32_t number, Visit visit) noexcept {
  for (Record& record : page_->records) {
    const uint64_t state = record.state.load(std::memory_order_acquire);
    if (state != 0 && NumberOf(state) == number && !visit(record, state)) return;
  }
}

bool HolderTable::IsDead(const Record& record) noexcept {
  return platform::IsDead({record.pid.load(std::memory_order_relaxed),
                           record.start.load(std::memory_order_relaxed),
                           record.space.load(std::memory_order_relaxed)});
}

void HolderTable::ClearHolder(uint32_t number) noexcept {
  ForEach(number, [&](Record& record, uint64_t state) {
    if (IsHolding(PhaseOf(state))) {
      return !record.state.compare_exchange_strong(state,
                                                   Pack(number, TagOf(state), Phase::kIdle, 0));
    }
    if (IsOrphanedHolder(PhaseOf(state))) return !record.state.compare_exchange_strong(state, 0);
    return true;
  });
}

HolderTable::DeadHolder HolderTable::FindDeadHolder(uint32_t number) noexcept {
  DeadHolder found;
  ForEach(number, [&](Record& record, uint64_t state) {
    const Phase phase = PhaseOf(state);
    const bool dead = IsOrphanedHolder(phase) || (IsHolding(phase) && IsDead(record));
    const uint32_t pid = record.pid.load(std::memory_order_relaxed);
    // The record may have changed its owner since its state was read.
    if (!dead || record.state.load(std::memory_order_acquire) != state) return true;
    found = {&record, state, pid, phase == Phase::kMoving || phase == Phase::kOrphanedMover};
    return false;
  });
  return found;
}

bool HolderTable::HasLiveHolder(uint32_t number) noexcept {
  bool found = false;
  ForEach(number, [&](Record& record, uint64_t state) {
    found = IsHolding(PhaseOf(state)) && !IsDead(record);
    return !found;
  });
  return found;
}

bool HolderTable::HasLiveWaiter(uint32_t number) noexcept {
  bool found = false;
  ForEach(number, [&](Record& record, uint64_t state) {
    found = PhaseOf(state) == Phase::kWaiting && CountOf(state) > 0 && !IsDead(record);
    return !found;
  });
  return found;
}

uint32_t HolderTable::ReapDead(uint32_t number, Phase counted, Phase orphaned) noexcept {
  uint32_t reaped = 0;
  ForEach(number, [&](Record& record, uint64_t state) {
    const bool dead = PhaseOf(state) == orphaned || (PhaseOf(state) == counted && IsDead(record));
    if (dead && record.state.compare_exchange_strong(state, 0)) reaped += CountOf(state);
    return true;
  });
  return reaped;
}

HolderTable::Record* HolderTable::AddMark(uint32_t number, Phase phase) noexcept {
  Record* found = FindMark(number, phase);
  if (found != nullptr) return found;
  for (Record& record : page_->Claimable()) {
    uint64_t state = 0;
    if (record.state.compare_exchange_strong(state, Pack(number, 0, phase, 0))) return &record;
  }
  // Without a free record for this semaphore, all count as exposed.
  if (phase == Phase::kExposed) page_->all_exposed.store(1);
  return nullptr;
}

HolderTable::Record* HolderTable::FindMark(uint32_t number, Phase phase) noexcept {
  Record* found = nullptr;
  ForEach(number, [&](Record& record, uint64_t state) {
    if (PhaseOf(state) == phase) found = &record;
    return found == nullptr;
  });
  return found;
}

HolderTable::Record* HolderTable::QueueFlags(uint32_t number, bool make) noexcept {
  return make ? AddMark(number, Phase::kQueue) : FindMark(number, Phase::kQueue);
}

uint32_t HolderTable::Flags(const Record* record, uint32_t number) noexcept {
  const uint64_t state = record->state.load(std::memory_order_acquire);
  return NumberOf(state) == number && PhaseOf(state) == Phase::kQueue ? CountOf(state) : 0;
}

void HolderTable::AddFlags(Record* record, uint32_t number, uint32_t flags) noexcept {
  uint64_t state = record->state.load(std::memory_order_acquire);
  while (NumberOf(state) == number && PhaseOf(state) == Phase::kQueue) {
    const uint64_t added = Pack(number, TagOf(state), Phase::kQueue, CountOf(state) | flags);
    if (record->state.compare_exchange_weak(state, added)) return;
  }
}

void HolderTable::Add(Record* record, uint32_t number, Phase phase, int change) noexcept {
  uint64_t state = record->state.load(std::memory_order_acquire);
  for (;;) {
    const int before = PhaseOf(state) == phase ? static_cast<int>(CountOf(state)) : 0;
    const auto after = static_cast<uint32_t>(std::max(0, before + change));
    const Phase phase_after = after > 0 ? phase : Phase::kIdle;
    const uint64_t changed = Pack(number, TagOf(state), phase_after, after);
    if (record->state.compare_exchange_weak(state, changed)) return;
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
    const Phase phase = PhaseOf(state);
    used = (phase == Phase::kIdle || Orphaned(phase) != Phase::kIdle) && !IsDead(record);
    return !used;
  });
  if (used) return;
  ForEach(number, [](Record& record, uint64_t state) {
    record.state.compare_exchange_strong(state, 0);
    return true;
  });
}

}  // namespace mp
