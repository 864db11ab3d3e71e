// SPDX-License-Identifier: MIT
#include "shared_memory/array_pool.h"

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "os/sys.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"

namespace mp::array_pool {

namespace {

using Block = std::shared_ptr<ArrayBlock>;

// More memory than this does not wait for its next use.
constexpr size_t kMostIdleBytes = size_t{256} << 20;
// How many blocks that other processes may use are looked at in one search.
constexpr int kLooks = 8;
constexpr size_t kPage = 4096;

struct Pool {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<ArrayBlock>> own;
  std::unordered_map<const void*, std::weak_ptr<ArrayBlock>>
      used;                           // By the addresses of their data.
  std::multimap<size_t, Block> idle;  // By their sizes.
  size_t idle_bytes = 0;
  std::list<Block> away;  // Not used here; other processes may use them.
  // The messages of this process that name blocks of others which it does not use any more, and
  // those to this process that were lost.
  std::vector<ArrayBlock::Sent> sent;
};

// Leaked on purpose: threads may still run when static destructors do.
Pool& ThePool() {
  static auto& pool = *new Pool;
  return pool;
}

// Four sizes for each power of two, so that a block fits arrays of about its size.
size_t ClassOf(size_t size) noexcept {
  size_t step = kPage;
  while (step * 8 <= size) step *= 2;
  return (std::max<size_t>(size, 1) + step - 1) / step * step;
}

void Remove(Pool& pool, const Block& block) {
  pool.own.erase(block->file());
  block->Unlink();
}

void PutIdle(Pool& pool, Block block) {
  if (pool.idle_bytes + block->size() > kMostIdleBytes) {
    Remove(pool, block);
    return;
  }
  pool.idle_bytes += block->size();
  const size_t size = block->size();
  pool.idle.emplace(size, std::move(block));
}

int Use(Pool& pool, const Block& block) {
  pool.used[block->data()] = block;
  return 0;
}

// Finds out which of the blocks are not in use any more.
void Collect(Pool& pool) {
  std::erase_if(pool.away, [&](Block& block) {
    if (!block->Reclaim()) return false;
    PutIdle(pool, std::move(block));
    return true;
  });
}

void RemoveIdle(Pool& pool) {
  for (const auto& [size, block] : pool.idle) Remove(pool, block);
  pool.idle.clear();
  pool.idle_bytes = 0;
}

// Removes what members of this family have left that were killed.
void RemoveDeserted(const Family& family, uint32_t sender = 0) {
  UniqueFd folder;
  std::vector<std::string> files;
  if (register_file::OpenFolder(family.folder(), &folder) < 0) return;
  (void)ListFiles(folder.get(), &files);
  for (const std::string& file : files) {
    if (ArrayBlock::IsBlock(file) && register_file::FamilyOfFile(file) == family.name())
      ArrayBlock::RemoveIfDeserted(folder.get(), file, sender);
  }
}

// At the end of the process, before it leaves its family.
struct AtExit {
  ~AtExit() { (void)Trim(); }
};

}  // namespace

int Take(size_t size, Block* out) {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  const size_t wanted = ClassOf(size);
  const auto found = pool.idle.find(wanted);
  if (found != pool.idle.end()) {
    *out = std::move(found->second);
    pool.idle_bytes -= wanted;
    pool.idle.erase(found);
    return Use(pool, *out);
  }
  int looks = 0;
  for (auto at = pool.away.begin(); at != pool.away.end() && looks < kLooks; ++at) {
    if ((*at)->size() != wanted) continue;
    looks++;
    if (!(*at)->Reclaim()) continue;
    *out = std::move(*at);
    pool.away.erase(at);
    return Use(pool, *out);
  }
  // The next search begins with others.
  if (looks == kLooks) pool.away.splice(pool.away.end(), pool.away, pool.away.begin());
  return -EAGAIN;
}

int Make(size_t size, Block* out) {
  std::shared_ptr<Family> family;
  int status = Family::Own(&family);
  if (status < 0) return status;
  static const AtExit at_exit;
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  const size_t bytes = ClassOf(size);
  status = ArrayBlock::Create(family, bytes, out);
  if (status == -ENOSPC || status == -EMFILE || status == -ENOMEM) {
    Collect(pool);
    RemoveIdle(pool);
    RemoveDeserted(*family);
    status = ArrayBlock::Create(family, bytes, out);
  }
  if (status < 0) return status;
  pool.own.emplace((*out)->file(), *out);
  return Use(pool, *out);
}

int Open(const std::string& file, uint64_t generation, const ArrayTicket& ticket, Block* out) {
  Pool& pool = ThePool();
  {
    const std::lock_guard lock(pool.mutex);
    const auto at = std::find_if(pool.away.begin(), pool.away.end(),
                                 [&](const Block& block) { return block->file() == file; });
    if (at != pool.away.end() && (*at)->generation() == generation) {
      *out = std::move(*at);
      pool.away.erase(at);
      (*out)->EndTicket(ticket);
      return Use(pool, *out);
    }
  }
  const int status = ArrayBlock::Open(file, generation, ticket, out);
  // The message is lost then. To end its ticket may take what the system lacks at this moment.
  ArrayBlock::Sent lost{file, ticket, nullptr};
  const bool is_over = !sys::IsShortage(status) || ArrayBlock::IsOver(lost);
  if (status < 0 && is_over) return status;
  const std::lock_guard lock(pool.mutex);
  if (!is_over) {
    pool.sent.push_back(std::move(lost));
    return status;
  }
  return Use(pool, *out);
}

Block Find(const void* data) {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  const auto at = pool.used.find(data);
  return at == pool.used.end() ? nullptr : at->second.lock();
}

void Return(Block block) {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  pool.used.erase(block->data());
  if (!block->is_own()) {
    const std::string folder = block->folder();
    const std::string file = block->file();
    for (ArrayBlock::Sent& sent : block->TakeSent()) pool.sent.push_back(std::move(sent));
    block.reset();
    // Its owner, if that still lives, is the one that uses it again.
    UniqueFd opened;
    if (register_file::OpenFolder(folder, &opened) == 0)
      ArrayBlock::RemoveIfDeserted(opened.get(), file);
    return;
  }
  if (block->Reclaim())
    PutIdle(pool, std::move(block));
  else
    pool.away.push_back(std::move(block));
}

bool Trim() {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  std::erase_if(pool.sent, ArrayBlock::IsOver);
  Collect(pool);
  RemoveIdle(pool);
  const std::shared_ptr<Family> family = Family::OwnIfAny();
  if (family) RemoveDeserted(*family);
  return pool.away.empty() && pool.sent.empty();
}

void EndTicket(const std::string& file, const ArrayTicket& ticket) {
  Block block;
  {
    Pool& pool = ThePool();
    const std::lock_guard lock(pool.mutex);
    const auto known = pool.own.find(file);
    if (known != pool.own.end()) block = known->second.lock();
  }
  if (block)
    block->EndTicket(ticket);
  else
    ArrayBlock::EndTicket(file, ticket);
}

void EndTicketsOf(uint32_t pid) {
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  for (const auto& [file, reference] : pool.own) {
    const Block block = reference.lock();
    if (block) block->EndTicketsOf(pid);
  }
  const std::shared_ptr<Family> family = Family::OwnIfAny();
  if (family) RemoveDeserted(*family, pid);
}

}  // namespace mp::array_pool
