// SPDX-License-Identifier: MIT
//
// How much memory readers and writers use. Every allocation of this program is counted.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "check.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "scripted.h"
#include "util/status.h"

namespace {

std::atomic<size_t> live_bytes{0};

// A larger allocation fails.
std::atomic<size_t> largest{SIZE_MAX};

// The size of each allocation is stored in front of it.
constexpr size_t kSizeBytes = alignof(std::max_align_t);

}  // namespace

void* operator new(size_t size) {
  if (size > largest) throw std::bad_alloc();
  auto* base = static_cast<std::byte*>(std::malloc(size + kSizeBytes));
  if (base == nullptr) throw std::bad_alloc();
  ::new (base) size_t(size);
  live_bytes += size;
  return base + kSizeBytes;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  auto* base = static_cast<std::byte*>(memory) - kSizeBytes;
  live_bytes -= *std::launder(reinterpret_cast<size_t*>(base));
  std::free(base);
}

void operator delete(void* memory, size_t) noexcept { ::operator delete(memory); }
void* operator new[](size_t size) { return ::operator new(size); }

// Defined here, since the sanitizer's own does not match the delete below.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* operator new[](size_t size, const std::nothrow_t& no_throw) noexcept {
  return ::operator new(size, no_throw);
}

void operator delete[](void* memory) noexcept { ::operator delete(memory); }
void operator delete[](void* memory, size_t) noexcept { ::operator delete(memory); }

namespace mp::test {
namespace {

constexpr size_t kSmall = FrameReader::kSmallBytes;

uint8_t slab[kSmall];

// How much has been allocated since it was constructed.
class Growth {
 public:
  // Signed, since memory that was allocated before may have been freed.
  long long now() const {
    return static_cast<long long>(live_bytes) - static_cast<long long>(before_);
  }

 private:
  size_t before_ = live_bytes;
};

// The argument is evaluated before this function allocates its own strings.
void ExpectAtMost(long long held, size_t most, int line = __builtin_LINE()) {
  Check(held <= static_cast<long long>(most), Shown(held) + " bytes held", __FILE__, line);
}

// Its bytes are not counted. A read returns at most `most` of them.
class PlainSource final : public ByteSource {
 public:
  PlainSource(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  ssize_t Read(const iovec* iov, int, ArrivedDescriptor*) override {
    const size_t size = std::min(iov->iov_len, std::min(left_, most));
    if (size == 0) return -EAGAIN;
    std::memcpy(iov->iov_base, data_, size);
    data_ += size;
    left_ -= size;
    return static_cast<ssize_t>(size);
  }

  size_t most = SIZE_MAX;

 private:
  const uint8_t* data_;
  size_t left_;
};

class FullSink final : public ByteSink {
 public:
  ssize_t Write(const iovec*, int) override { return -EAGAIN; }
  ssize_t WriteDescriptor(uint8_t, int) override { return -EAGAIN; }
};

const Test kIdle("memory: an idle reader holds no buffer", [] {
  for (const bool read_ahead : {false, true}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, kSmall}) {
      Blob stream;
      for (int i = 0; i < 3; i++) AppendTo(stream, Frame(Pattern(size)));
      PlainSource source(stream.data(), stream.size());
      FrameReader reader(1 << 20);
      reader.set_read_ahead(read_ahead);
      const Growth growth;
      for (int i = 0; i < 3; i++) Equal(reader.ReadSmall(source, slab, UINT64_MAX), size);
      ExpectAtMost(growth.now(), 0);
      Equal(reader.ReadSmall(source, slab, UINT64_MAX), -EAGAIN);
      ExpectAtMost(growth.now(), 0);
      Equal(reader.ReadDescriptor(source), -EAGAIN);
      ExpectAtMost(growth.now(), 0);
    }
  }
});

const Test kPartial("memory: a part of a message takes one buffer, until the message is complete",
                    [] {
                      for (const bool read_ahead : {false, true}) {
                        const Blob stream = Frame(Pattern(kSmall));
                        PlainSource source(stream.data(), stream.size());
                        source.most = 1000;
                        FrameReader reader(1 << 20);
                        reader.set_read_ahead(read_ahead);
                        const Growth growth;
                        int64_t status = -EAGAIN;
                        while (status == -EAGAIN) {
                          status = reader.ReadSmall(source, slab, UINT64_MAX);
                          ExpectAtMost(growth.now(), kSmall);
                        }
                        Equal(status, kSmall);
                        ExpectAtMost(growth.now(), 0);
                      }
                    });

const Test kAnnounced("memory: an announced length takes no memory", [] {
  for (const bool read_ahead : {false, true}) {
    Blob stream = LongHeader(1ull << 50);
    AppendTo(stream, Pattern(10));
    PlainSource source(stream.data(), stream.size());
    FrameReader reader(1ull << 60);
    reader.set_read_ahead(read_ahead);
    const Growth growth;
    Equal(reader.ReadSmall(source, slab, UINT64_MAX), kLargeMessage);
    ExpectAtMost(growth.now(), kSmall);
    uint8_t body[100];
    Equal(reader.ReadLarge(source, body, sizeof body, SIZE_MAX), 10);
    ExpectAtMost(growth.now(), kSmall);
  }
});

const Test kRefused("memory: nothing is held after a failure", [] {
  for (const bool read_ahead : {false, true}) {
    for (const bool valid : {false, true}) {
      Blob stream = valid ? Frame(Pattern(100)) : ShortHeader(-2);
      AppendTo(stream, Pattern(5000));
      PlainSource source(stream.data(), stream.size());
      FrameReader reader(1 << 20);
      reader.set_read_ahead(read_ahead);
      const Growth growth;
      Equal(reader.ReadSmall(source, slab, 99), valid ? kTooLong : kBadLength);
      ExpectAtMost(growth.now(), 0);
    }
  }
});

const Test kWaiting("memory: a waiting message is copied up to 64 KiB", [] {
  const Blob message = Pattern(10 << 20);
  FullSink sink;
  FrameWriter writer;
  constexpr size_t kOverhead = 4096;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{65536}, message.size()}) {
    const Growth growth;
    const int64_t number = writer.Send(sink, message.data(), size);
    Check(number > 0);
    ExpectAtMost(growth.now(), std::min(size, FrameWriter::kCopiedBytes) + kOverhead);
    Equal(writer.Withdraw(number, {}), 1);
    ExpectAtMost(growth.now(), kOverhead);
  }
});

const Test kTakenBack("memory: a begun message that cannot be copied stays as it was", [] {
  const Blob message = Pattern(10 << 20);
  ScriptedSink sink;
  FrameWriter writer;
  sink.script.Add({70000});
  Equal(writer.Send(sink, message.data(), message.size()), 1);
  largest = 1 << 20;
  const int64_t status = writer.Withdraw(1, {message.data(), message.size()});
  largest = SIZE_MAX;
  Equal(status, -ENOMEM);
  Equal(writer.Flush(sink, {message.data(), message.size()}, SIZE_MAX), 1);
  Check(sink.written == Frame(message));
});

const Test kDrained("memory: a writer frees what its waiting messages took", [] {
  const Blob message = Pattern(2000);
  FrameWriter writer;
  writer.Append(message.data(), 1);
  writer.Clear();
  const Growth growth;
  int64_t first = 0;
  int64_t last = 0;
  for (int i = 0; i < 10000; i++) {
    last = writer.Append(message.data(), message.size());
    if (first == 0) first = last;
  }
  Check(growth.now() > 10000LL * 2000);
  for (int64_t number = first; number <= last; number++) Equal(writer.Withdraw(number, {}), 1);
  Check(writer.empty());
  ExpectAtMost(growth.now(), 200000);
  Equal(writer.pending_bytes(), 0u);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
