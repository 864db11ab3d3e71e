// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "io/byte_stream.h"
#include "recovery/stream_layout.h"
#include "util/steps.h"

namespace mp {

// The stream record of a queue as one process uses it. Functions for the writer need `wlock`, those
// for the reader `rlock`.
class StreamRecord {
 public:
  // The kind of block that holds it: see Family::OpenBlock().
  static constexpr const char* kBlockKind = "queue";

  // `memory` consists of zeros if `make`. Null if it is no stream record.
  static std::shared_ptr<StreamRecord> Over(std::shared_ptr<void> memory, bool make);

  explicit StreamRecord(std::shared_ptr<void> memory) noexcept
      : memory_(std::move(memory)), layout_(static_cast<StreamLayout*>(memory_.get())) {}

  StreamLayout& layout() const noexcept { return *layout_; }

  // Whether all members keep it.
  bool is_kept() const noexcept { return layout_->unrecorded.load() == 0; }
  // From now on a process may use the queue that does not keep it.
  void GiveUp() noexcept { layout_->unrecorded.store(1); }

  // How many bytes are certainly in the pipe. A reader that has asked the pipe may be ahead of what
  // the writer has said so far.
  uint64_t unread() const noexcept {
    const uint64_t read = layout_->read.load();
    const uint64_t written = layout_->written.load();
    return written > read ? written - read : 0;
  }
  // Items that were put and that no member can get.
  uint64_t lost() const noexcept {
    return layout_->lost.load() + layout_->lost_by_python_writers.load() +
           layout_->lost_by_python_readers.load();
  }
  // How often the numbers were set right.
  uint64_t recoveries() const noexcept {
    return layout_->recoveries.load() + layout_->recoveries_by_python_writers.load() +
           layout_->recoveries_by_python_readers.load();
  }
  // Unfinished items of no member's record: see StreamLayout.
  int64_t in_other_hands() const noexcept {
    return layout_->in_other_hands.load() -
           static_cast<int64_t>(layout_->finished_by_python.load()) +
           static_cast<int64_t>(layout_->left.load());
  }
  // How many items are noted and not read yet.
  uint64_t depth() const noexcept { return layout_->head.load() - layout_->tail.load(); }
  // Where an item begins and ends.
  uint64_t StartOf(uint64_t item) const noexcept { return EndOf(item - 1); }
  uint64_t EndOf(uint64_t item) const noexcept { return Entry(item).load() & ~StreamLayout::kTorn; }
  bool IsTorn(uint64_t item) const noexcept {
    return (Entry(item).load() & StreamLayout::kTorn) != 0;
  }

  // The writer's part.

  bool WriterAtRest() const noexcept {
    return layout_->write_intent.load() == 0 && layout_->noting.load() == 0 &&
           layout_->written.load() == StartOf(layout_->head.load());
  }
  // Around the moment in which items count as accepted or as noted: `more` is how many items will
  // be noted after it, or are to be taken back.
  void BeginNoting(uint64_t more) noexcept {
    layout_->noting.store(layout_->head.load() + more);
    Step();
  }
  void EndNoting() noexcept {
    layout_->noting.store(0);
    Step();
  }
  // How many items can be noted.
  uint64_t Room() const noexcept { return StreamLayout::kMaxItems - depth(); }
  // Sleeps until there may be room.
  void AwaitRoom(int64_t slice_ns) noexcept;
  // The next bytes begin an item of this size, header included.
  void Note(uint64_t size) noexcept {
    NoteMany(1, [size] { return size; });
  }
  // The same of several items, whose sizes `next` returns one after the other. A process that is
  // killed has noted all of them or none.
  template <typename Next>
  void NoteMany(uint64_t items, Next next) noexcept {
    const uint64_t head = layout_->head.load();
    uint64_t end = StartOf(head);
    for (uint64_t i = 0; i < items; i++) {
      end += next();
      Entry(head + i).store(end, std::memory_order_relaxed);
    }
    Step();
    layout_->head.store(head + items);
    Step();
  }
  // Writes bytes of noted items.
  ssize_t Write(ByteSink& sink, const iovec* iov, int count) noexcept;
  // Takes items back that were not begun. Returns how many.
  uint64_t TakeBack() noexcept;
  // Nothing more of the item that was begun is written. True if there is one.
  bool Tear() noexcept;
  // The true number of bytes written, after the death of a writer. Returns how many noted items
  // were not begun.
  uint64_t SetWritten(uint64_t written) noexcept;

  // The reader's part.

  bool ReaderAtRest() const noexcept { return layout_->read_intent.load() == 0 && !in_item(); }
  // Whether a part of an item was read.
  bool in_item() const noexcept { return layout_->read.load() != StartOf(layout_->tail.load()); }
  // Whether all bytes were read that the item has.
  bool at_end() const noexcept { return layout_->read.load() == EndOf(layout_->tail.load()); }
  // Whether the item's writer has died inside of it.
  bool is_torn() const noexcept { return depth() > 0 && IsTorn(layout_->tail.load()); }
  // So many items were read, or dropped, whole.
  void Pass(bool dropped, uint64_t items = 1) noexcept;
  // The true number of bytes read, after the death of a reader. Returns how many items that reader
  // had read whole; they are passed.
  uint64_t SetRead(uint64_t read) noexcept;

 private:
  std::atomic<uint64_t>& Entry(uint64_t item) const noexcept {
    return layout_->ends[item % StreamLayout::kEntries];
  }
  std::atomic<uint32_t>* tail_word() const noexcept;

  std::shared_ptr<void> memory_;
  StreamLayout* layout_;
};

// What a stream record says about its queue. Read without becoming a member.
struct StreamTotals {
  uint64_t put;   // Items in total.
  uint64_t got;   // Items in total, those included that were dropped.
  uint64_t lost;  // See StreamLayout.
  bool kept;      // False once a process uses the queue that does not keep the record.
};

// 0 or -errno: -ENOENT if the queue has no record.
int ReadStreamTotals(const std::string& folder, const std::string& family, uint32_t number,
                     StreamTotals* out);

// The bytes of the item at which the reader is, and no others, or several whole items. A read in
// flight is noted, and moves all of what was noted or nothing.
class RecordedSource final : public ByteSource {
 public:
  RecordedSource(StreamRecord& record, ByteSource& pipe, int fd) noexcept
      : record_(record), pipe_(pipe), fd_(fd) {}
  // -EAGAIN also at the end of the item; kQueueBroken when there are bytes of which no member has
  // noted anything.
  ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) override;
  // At the boundary of two items: reads whole items in one call, at most `most` of them, none of
  // which is longer than `longest`, header included. Returns how many bytes they have, and how many
  // they are. None if the next item is not such a one; -EAGAIN if the pipe is empty.
  ssize_t ReadItems(const iovec& room, uint64_t most, uint64_t longest, uint64_t* items);

 private:
  ssize_t Move(const iovec* iov, int count, uint64_t total, ArrivedDescriptor* descriptor);

  StreamRecord& record_;
  ByteSource& pipe_;
  int fd_;
};

}  // namespace mp
