// SPDX-License-Identifier: MIT
#include "recovery/stream_record.h"

#include <algorithm>
#include <cerrno>

#include "os/platform.h"
#include "os/sys.h"
#include "registers/family_block.h"
#include "registers/register_file.h"
#include "util/status.h"
#include "util/steps.h"

namespace mp {

namespace {

// A writer that sleeps is woken when at most so many items are left, and not for each of them.
constexpr uint64_t kResumeItems = StreamLayout::kEntries * 3 / 4;

constexpr int kMostParts = 64;

size_t TotalOf(const iovec* iov, int count) noexcept {
  size_t total = 0;
  for (int i = 0; i < count; i++) total += iov[i].iov_len;
  return total;
}

}  // namespace

int ReadStreamTotals(const std::string& folder, const std::string& family, uint32_t number,
                     StreamTotals* out) {
  std::shared_ptr<FamilyBlock> block;
  const std::string file = register_file::BlockFile(family, StreamRecord::kBlockKind, number);
  const int status = FamilyBlock::Open(folder, file, sizeof(StreamLayout), false, &block);
  if (status < 0) return status;
  const StreamRecord record(std::shared_ptr<void>(block, block->address()));
  const StreamLayout& layout = record.layout();
  if (layout.magic.load() != StreamLayout::kMagic) return -ENOENT;
  // In this order: an item that is put and got in between counts as put only.
  const uint64_t got = layout.tail.load();
  *out = {layout.head.load(), got, record.lost(), record.is_kept()};
  return 0;
}

std::shared_ptr<StreamRecord> StreamRecord::Over(std::shared_ptr<void> memory, bool make) {
  auto record = std::make_shared<StreamRecord>(std::move(memory));
  if (make) record->layout_->magic.store(StreamLayout::kMagic);
  return record->layout_->magic.load() == StreamLayout::kMagic ? record : nullptr;
}

// A futex has 32 bits. The lower half of the word changes with every item.
std::atomic<uint32_t>* StreamRecord::tail_word() const noexcept {
  return reinterpret_cast<std::atomic<uint32_t>*>(&layout_->tail);
}

void StreamRecord::AwaitRoom(int64_t slice_ns) noexcept {
  const auto tail = static_cast<uint32_t>(layout_->tail.load());
  layout_->writer_sleeps.store(1);
  if (Room() == 0) platform::SleepOnWord(tail_word(), tail, slice_ns);
}

ssize_t StreamRecord::Write(ByteSink& sink, const iovec* iov, int count) noexcept {
  layout_->write_intent.store(TotalOf(iov, count));
  Step();
  const ssize_t n = sink.Write(iov, count);
  Step();
  if (n > 0) layout_->written.store(layout_->written.load() + static_cast<uint64_t>(n));
  Step();
  layout_->write_intent.store(0);
  Step();
  return n;
}

uint64_t StreamRecord::TakeBack() noexcept { return SetWritten(layout_->written.load()); }

bool StreamRecord::Tear() noexcept {
  TakeBack();
  const uint64_t head = layout_->head.load();
  const uint64_t written = layout_->written.load();
  if (written == StartOf(head)) return false;
  Entry(head - 1).store(written | StreamLayout::kTorn);
  Step();
  return true;
}

// If the process dies on the way, the numbers are not at rest, and the next one does this again.
uint64_t StreamRecord::SetWritten(uint64_t written) noexcept {
  uint64_t head = layout_->head.load();
  uint64_t taken_back = 0;
  while (head > layout_->tail.load() && StartOf(head - 1) >= written && EndOf(head - 1) > written) {
    head--;
    taken_back++;
  }
  if (taken_back > 0) layout_->head.store(head);
  Step();
  layout_->written.store(written);
  Step();
  if (layout_->write_intent.load() != 0) layout_->write_intent.store(0);
  Step();
  return taken_back;
}

void StreamRecord::Pass(bool dropped, uint64_t items) noexcept {
  if (dropped) layout_->dropped.store(layout_->dropped.load() + items);
  Step();
  layout_->tail.store(layout_->tail.load() + items);
  Step();
  if (layout_->writer_sleeps.load() == 0 || depth() > kResumeItems) return;
  layout_->writer_sleeps.store(0);
  platform::WakeAll(tail_word());
}

uint64_t StreamRecord::SetRead(uint64_t read) noexcept {
  uint64_t passed = 0;
  layout_->read.store(read);
  Step();
  if (layout_->read_intent.load() != 0) layout_->read_intent.store(0);
  Step();
  while (depth() > 0 && EndOf(layout_->tail.load()) <= read) {
    Pass(true);
    passed++;
  }
  return passed;
}

ssize_t RecordedSource::Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) {
  StreamLayout& numbers = record_.layout();
  const uint64_t read = numbers.read.load();
  const uint64_t wanted = TotalOf(iov, count);
  // The end of the item is loaded after the number of bytes: if the item's writer has died, bytes
  // of other items may follow, which are there only after its end was set.
  uint64_t there = record_.unread();
  uint64_t item = record_.depth() > 0 ? record_.EndOf(numbers.tail.load()) - read : 0;
  if (there < std::min(item, wanted) || item == 0) {
    // The writer may have written and not said so yet.
    const int64_t bytes = sys::BytesReadable(fd_);
    if (bytes < 0) return bytes;
    there = static_cast<uint64_t>(bytes);
    if (record_.depth() == 0) return there == 0 ? -EAGAIN : int{kQueueBroken};
    item = record_.EndOf(numbers.tail.load()) - read;
  }
  const uint64_t most = std::min({item, there, wanted});
  if (most == 0) return -EAGAIN;
  iovec parts[kMostParts];
  int used = 0;
  uint64_t total = 0;
  for (; used < std::min(count, kMostParts) && total < most; used++) {
    const auto length = std::min<uint64_t>(iov[used].iov_len, most - total);
    parts[used] = {iov[used].iov_base, static_cast<size_t>(length)};
    total += length;
  }
  return Move(parts, used, total, descriptor);
}

ssize_t RecordedSource::ReadItems(const iovec& room, uint64_t most, uint64_t longest,
                                  uint64_t* items) {
  const StreamLayout& numbers = record_.layout();
  const uint64_t read = numbers.read.load();
  const uint64_t tail = numbers.tail.load();
  uint64_t there = record_.unread();
  if (there == 0) {
    // The writer may have written and not said so yet.
    const int64_t bytes = sys::BytesReadable(fd_);
    if (bytes <= 0) return bytes == 0 ? -EAGAIN : bytes;
    there = static_cast<uint64_t>(bytes);
  }
  // The ends are loaded after the number of bytes, as in Read(). An item whose end is within these
  // bytes is whole and stays so: only one that was not written to its end is torn or taken back.
  const uint64_t noted = numbers.head.load() - tail;
  const uint64_t limit = std::min<uint64_t>(there, room.iov_len);
  uint64_t total = 0;
  *items = 0;
  while (*items < std::min(most, noted) && !record_.IsTorn(tail + *items)) {
    const uint64_t end = record_.EndOf(tail + *items) - read;
    if (end > limit || end - total > longest) break;
    total = end;
    ++*items;
  }
  if (*items == 0) return 0;
  const iovec iov{room.iov_base, static_cast<size_t>(total)};
  ArrivedDescriptor none;
  const ssize_t n = Move(&iov, 1, total, &none);
  if (n == 0) return kEndOfFile;
  return n < 0 || static_cast<uint64_t>(n) == total ? n : ssize_t{kQueueBroken};
}

ssize_t RecordedSource::Move(const iovec* iov, int count, uint64_t total,
                             ArrivedDescriptor* descriptor) {
  StreamLayout& numbers = record_.layout();
  numbers.read_intent.store(total);
  Step();
  const ssize_t n = pipe_.Read(iov, count, descriptor);
  Step();
  if (n > 0) numbers.read.store(numbers.read.load() + static_cast<uint64_t>(n));
  Step();
  numbers.read_intent.store(0);
  Step();
  return n;
}

}  // namespace mp
