// SPDX-License-Identifier: MIT
#include "leases/lease_table.h"

#include <algorithm>

namespace mp {

using leases::Chunk;
using leases::Header;
using leases::kChunksOffset;
using leases::kUnit;
using leases::List;
using leases::PackWord;
using leases::State;

namespace {

State StateIn(const Chunk& chunk) noexcept {
  return leases::StateOf(chunk.word.load(std::memory_order_acquire));
}

void SetWord(Chunk& chunk, State state, uint32_t owner, uint32_t deliveries) noexcept {
  chunk.word.store(PackWord(state, owner, deliveries), std::memory_order_release);
}

template <typename Count>
void Change(std::atomic<Count>& count, int change) noexcept {
  count.store(count.load(std::memory_order_relaxed) + static_cast<Count>(change),
              std::memory_order_relaxed);
}

}  // namespace

// Items are mostly finished in the order in which they were put, so the free chunk is found where
// the last search has ended.
Chunk* LeaseTable::Allocate(uint64_t length, uint32_t owner) noexcept {
  Header& header = this->header();
  const uint64_t taken = header.queued.count + header.filling.load(std::memory_order_relaxed);
  if (header.places > 0 && taken >= header.places) return nullptr;
  const uint64_t needed = sizeof(Chunk) + (length + kUnit - 1) / kUnit * kUnit;
  uint64_t at = header.rover;
  for (uint64_t seen = 0; header.free_bytes >= needed && seen <= header.bytes;) {
    Chunk& chunk = block_->chunk(at);
    if (StateIn(chunk) == State::kFree) Merge(chunk, needed);
    const uint64_t size = chunk.size.load(std::memory_order_relaxed);
    if (StateIn(chunk) == State::kFree && size >= needed) {
      if (size > needed) {
        // The rest is a chunk before the size of the first one says so.
        Chunk& rest = block_->chunk(at + needed);
        SetWord(rest, State::kFree, 0, 0);
        rest.size.store(size - needed, std::memory_order_relaxed);
        chunk.size.store(needed, std::memory_order_release);
      }
      header.rover = at + needed < block_->end() ? at + needed : kChunksOffset;
      chunk.length = length;
      SetWord(chunk, State::kFilling, owner, 0);
      header.free_bytes -= needed;
      Change(header.filling, 1);
      return &chunk;
    }
    seen += size;
    at += size;
    if (at >= block_->end()) at = kChunksOffset;
  }
  // Merge() may have made the chunk at the old place a part of another one.
  header.rover = at;
  return nullptr;
}

// Makes one free chunk of this one and those that follow, until it is long enough.
void LeaseTable::Merge(Chunk& chunk, uint64_t enough) noexcept {
  const uint64_t at = block_->OffsetOf(chunk);
  for (uint64_t size = chunk.size.load(); size < enough && at + size < block_->end();) {
    const Chunk& next = block_->chunk(at + size);
    if (StateIn(next) != State::kFree) return;
    size += next.size.load();
    chunk.size.store(size, std::memory_order_release);
  }
}

void LeaseTable::Enqueue(Chunk& chunk) noexcept {
  Header& header = this->header();
  chunk.number = header.last_number.fetch_add(1) + 1;
  SetWord(chunk, State::kQueued, 0, 0);
  Change(header.filling, -1);
  Change(header.unfinished, 1);
  Append(header.queued, chunk);
}

Chunk* LeaseTable::Take(uint32_t owner, bool dead, uint64_t now) noexcept {
  Header& header = this->header();
  List& list = dead && header.dead.count > 0 ? header.dead
               : header.returned.count > 0   ? header.returned
                                             : header.queued;
  if (list.count == 0) return nullptr;
  Chunk& chunk = block_->chunk(list.head);
  const uint32_t deliveries = leases::DeliveriesOf(chunk.word.load(std::memory_order_relaxed));
  chunk.since = now;
  // From here on the item is the owner's, whatever happens to it before the list says so.
  SetWord(chunk, State::kLeased, owner, deliveries + 1);
  Change(header.got, 1);
  return PopFrom(list);
}

void LeaseTable::Return(Chunk& chunk) noexcept {
  Header& header = this->header();
  const uint32_t deliveries = leases::DeliveriesOf(chunk.word.load(std::memory_order_relaxed));
  const bool dead = header.max_deliveries > 0 && deliveries >= header.max_deliveries;
  SetWord(chunk, dead ? State::kDead : State::kReturned, 0, deliveries);
  Append(dead ? header.dead : header.returned, chunk);
}

bool LeaseTable::Free(Chunk& chunk) noexcept {
  Header& header = this->header();
  const bool filling = StateIn(chunk) == State::kFilling;
  SetWord(chunk, State::kFree, 0, 0);
  header.free_bytes += chunk.size.load(std::memory_order_relaxed);
  Change(filling ? header.filling : header.unfinished, -1);
  return !filling && header.unfinished.load(std::memory_order_relaxed) == 0;
}

void LeaseTable::Append(List& list, Chunk& chunk) noexcept {
  Header& header = this->header();
  const uint64_t at = block_->OffsetOf(chunk);
  chunk.next = 0;
  if (list.count == 0) {
    list.head = at;
  } else {
    block_->chunk(list.tail).next = at;
  }
  list.tail = at;
  list.count++;
  Change(header.waiting, 1);
  if (&list == &header.queued) Change(header.waiting_first, 1);
}

Chunk* LeaseTable::PopFrom(List& list) noexcept {
  Header& header = this->header();
  Chunk& chunk = block_->chunk(list.head);
  list.head = chunk.next;
  list.count--;
  Change(header.waiting, -1);
  if (&list == &header.queued) Change(header.waiting_first, -1);
  return &chunk;
}

void LeaseTable::Relink(List& list, std::vector<Chunk*>& chunks) {
  std::sort(chunks.begin(), chunks.end(),
            [](const Chunk* a, const Chunk* b) { return a->number < b->number; });
  list = {};
  for (Chunk* chunk : chunks) Append(list, *chunk);
}

bool LeaseTable::Rebuild() {
  Header& header = this->header();
  for (uint64_t at = kChunksOffset; at < block_->end();) {
    const uint64_t size = block_->chunk(at).size.load(std::memory_order_acquire);
    if (size < sizeof(Chunk) || size % kUnit != 0 || size > block_->end() - at) return false;
    at += size;
  }
  uint64_t filling = 0;
  uint64_t unfinished = 0;
  uint64_t free_bytes = 0;
  std::vector<Chunk*> queued;
  std::vector<Chunk*> returned;
  std::vector<Chunk*> dead;
  ForEach([&](Chunk& chunk, uint64_t word) {
    const State state = leases::StateOf(word);
    if (state == State::kFree) free_bytes += chunk.size.load(std::memory_order_relaxed);
    if (state == State::kFilling) filling++;
    if (state != State::kFree && state != State::kFilling) unfinished++;
    if (state == State::kQueued) queued.push_back(&chunk);
    if (state == State::kReturned) returned.push_back(&chunk);
    if (state == State::kDead) dead.push_back(&chunk);
  });
  header.filling.store(filling);
  header.unfinished.store(unfinished);
  header.free_bytes = free_bytes;
  header.rover = kChunksOffset;
  header.waiting.store(0);
  header.waiting_first.store(0);
  Relink(header.queued, queued);
  Relink(header.returned, returned);
  Relink(header.dead, dead);
  return true;
}

}  // namespace mp
