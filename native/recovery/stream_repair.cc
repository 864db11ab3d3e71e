// SPDX-License-Identifier: MIT
#include "recovery/stream_repair.h"

#include <limits.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "io/frame.h"
#include "os/platform.h"
#include "os/sys.h"
#include "util/status.h"
#include "util/steps.h"

namespace mp {

namespace {

// How many bytes were really moved.
struct Place {
  uint64_t read;
  uint64_t written;
};

using Places = std::vector<Place>;

constexpr int kTries = 200;

// One look at the numbers and the pipe. False if something has changed meanwhile.
bool Look(const StreamRecord& record, int fd, Places* places) {
  const StreamLayout& numbers = record.layout();
  const uint64_t written = numbers.written.load();
  const uint64_t write_intent = numbers.write_intent.load();
  const uint64_t head = numbers.head.load();
  const uint64_t read = numbers.read.load();
  const uint64_t read_intent = numbers.read_intent.load();
  const uint64_t tail = numbers.tail.load();
  const int bytes = sys::BytesReadable(fd);
  const bool same = written == numbers.written.load() &&
                    write_intent == numbers.write_intent.load() && head == numbers.head.load() &&
                    read == numbers.read.load() && read_intent == numbers.read_intent.load() &&
                    tail == numbers.tail.load();
  if (!same || bytes < 0) return false;
  const uint64_t last = record.StartOf(head);
  const auto fits = [&](uint64_t truth) {
    const uint64_t sum = truth + static_cast<uint64_t>(bytes);
    if (sum < written || sum > written + write_intent || sum > last) return false;
    // The kernel moves these whole or not at all.
    return write_intent > PIPE_BUF || sum == written || sum == written + write_intent;
  };
  places->clear();
  if (fits(read)) places->push_back({read, read + static_cast<uint64_t>(bytes)});
  const uint64_t after = read + read_intent;
  // A read of several items begins with the item at `tail`, and any other one ends with it. Where
  // the end of that item is passed, the read was counted already.
  uint64_t limit = read;
  if (head > tail) limit = read == record.StartOf(tail) ? last : record.EndOf(tail);
  if (read_intent > 0 && after <= limit && fits(after))
    places->push_back({after, after + static_cast<uint64_t>(bytes)});
  return true;
}

// False if members move bytes all the time.
bool Locate(const StreamRecord& record, int fd, Places* places) {
  for (int i = 0; i < kTries; i++) {
    if (Look(record, fd, places)) return true;
    std::this_thread::yield();
  }
  return false;
}

// Where items begin and end in the pipe, counted from its first byte.
std::vector<uint64_t> Boundaries(const StreamRecord& record, const Place& place) {
  std::vector<uint64_t> boundaries;
  const StreamLayout& numbers = record.layout();
  const uint64_t tail = numbers.tail.load();
  for (uint64_t item = tail; item <= numbers.head.load(); item++) {
    const uint64_t start = record.StartOf(item);
    if (start >= place.read && start <= place.written) boundaries.push_back(start - place.read);
  }
  return boundaries;
}

// Whether the boundaries by two answers mean the same. If no item ends in the pipe, all that is
// there belongs to one item, which is torn and dropped by either answer.
bool Agree(const std::vector<uint64_t>& one, const std::vector<uint64_t>& other) {
  const auto without_end = [](const auto& found) { return found.empty() || found.back() == 0; };
  return one == other || (without_end(one) && without_end(other));
}

// Whether the items that are in the pipe by this answer have the lengths that their headers say.
bool HeadersFit(const StreamRecord& record, const Place& place, const std::vector<uint8_t>& bytes) {
  const uint64_t head = record.layout().head.load();
  for (uint64_t item = record.layout().tail.load(); item < head; item++) {
    const uint64_t start = record.StartOf(item);
    if (start < place.read || start >= place.written || record.IsTorn(item)) continue;
    const uint64_t at = start - place.read;
    if (at >= bytes.size()) continue;
    size_t needed = 0;
    int64_t length = 0;
    const auto state = frame::DecodeHeader(&bytes[at], bytes.size() - at, &needed, &length);
    if (state == frame::HeaderState::kInvalid) return false;
    if (state != frame::HeaderState::kComplete) continue;
    if (needed + static_cast<uint64_t>(length) != record.EndOf(item) - start) return false;
  }
  return true;
}

// Of two answers with other boundaries, leaves the one that the bytes in the pipe speak for.
void CompareBytes(const StreamRecord& record, int fd, Places* places) {
  std::vector<uint8_t> bytes(static_cast<size_t>(places->front().written - places->front().read));
  const ssize_t seen = platform::PeekPipe(fd, bytes.data(), bytes.size());
  if (seen < 0) return;
  bytes.resize(static_cast<size_t>(seen));
  std::erase_if(*places, [&](const Place& place) { return !HeadersFit(record, place, bytes); });
}

void SetWriter(const StreamResources& stream, uint64_t written) noexcept {
  StreamRecord& record = *stream.record;
  const uint64_t not_begun = record.SetWritten(written);
  record.Tear();
  record.layout().recoveries.fetch_add(1);
  if (!stream.is_joinable) CountLost(stream, not_begun);
}

void SetReader(const StreamResources& stream, uint64_t read) noexcept {
  StreamRecord& record = *stream.record;
  const uint64_t passed = record.SetRead(read);
  record.layout().recoveries.fetch_add(1);
  if (!stream.is_joinable) CountLost(stream, passed);
}

// Both members have died in the middle of a call, and two answers fit.
int DecideBoth(const StreamResources& stream, TrackedSemaphore& other, int fd) noexcept {
  (void)other.CheckHolder();
  if (other.TryAcquire() < 0) return -EAGAIN;
  const int status = RepairBoth(stream, fd);
  other.Release(TrackedSemaphore::kNoLimit);
  return status;
}

template <typename Set>
int Repair(const StreamResources& stream, TrackedSemaphore& other, int fd, Set set) noexcept {
  if (!stream.record->is_kept()) return kQueueBroken;
  Places places;
  if (!Locate(*stream.record, fd, &places)) return -EAGAIN;
  if (places.size() == 2) return DecideBoth(stream, other, fd);
  if (places.empty()) return kQueueBroken;
  set(places.front());
  return 0;
}

}  // namespace

void CountLost(const StreamResources& stream, uint64_t items) noexcept {
  if (items > 0 && stream.record) stream.record->layout().lost.fetch_add(items);
}

// If the process dies on the way, the next check finds the rest: see QueueAccounts.
void FinishLost(const StreamResources& stream, uint64_t items) noexcept {
  for (uint64_t i = 0; i < items; i++) {
    if (stream.unfinished && stream.unfinished->semaphore().TryWait() < 0) return;
    Step();
    CountLost(stream, 1);
    Step();
  }
}

void SettleNoting(const StreamResources& stream) noexcept {
  StreamLayout& numbers = stream.record->layout();
  const uint64_t noting = numbers.noting.load();
  const uint64_t head = numbers.head.load();
  if (noting == 0) return;
  const auto items = static_cast<uint32_t>(noting > head ? noting - head : 0);
  HolderTable& table = *stream.wlock->table();
  table.AcceptAgain(StreamResources::AcceptedNumber(stream.wlock->number()), items);
  // Python members take a slot for each item that they accept.
  if (stream.slots_number != 0) table.AcceptAgain(stream.slots_number, items);
  stream.record->EndNoting();
}

int RepairWriter(const StreamResources& stream, int fd) noexcept {
  SettleNoting(stream);
  if (stream.record->WriterAtRest()) return 0;
  return Repair(stream, *stream.rlock, fd,
                [&](const Place& place) { SetWriter(stream, place.written); });
}

int RepairReader(const StreamResources& stream, int fd) noexcept {
  if (stream.record->ReaderAtRest()) return 0;
  return Repair(stream, *stream.wlock, fd,
                [&](const Place& place) { SetReader(stream, place.read); });
}

int RepairBoth(const StreamResources& stream, int fd) noexcept {
  StreamRecord& record = *stream.record;
  SettleNoting(stream);
  if (record.WriterAtRest() && record.ReaderAtRest()) return 0;
  Places places;
  if (!record.is_kept() || !Locate(record, fd, &places) || places.empty()) return kQueueBroken;
  if (places.size() == 2 && !Agree(Boundaries(record, places[0]), Boundaries(record, places[1]))) {
    CompareBytes(record, fd, &places);
    if (places.size() != 1) return kQueueBroken;
  }
  if (!record.WriterAtRest()) SetWriter(stream, places[0].written);
  if (!record.ReaderAtRest()) SetReader(stream, places[0].read);
  return 0;
}

int RepairOtherWriter(const StreamResources& stream, int fd) noexcept {
  if (stream.record->WriterAtRest()) return 0;
  (void)stream.wlock->CheckHolder();
  if (stream.wlock->TryAcquire() < 0) return 0;
  const int status = RepairWriter(stream, fd);
  stream.wlock->Release(TrackedSemaphore::kNoLimit);
  return status == -EAGAIN ? 0 : status;
}

}  // namespace mp
