// SPDX-License-Identifier: MIT
//
// Messages above 64 KiB, whose rest stays in the caller's memory while they wait.
#include <algorithm>
#include <memory>

#include "check.h"
#include "io/frame_writer.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr size_t kCopied = FrameWriter::kCopiedBytes;
constexpr FrameWriter::Borrowed kNothing{};

// The same bytes at a new address, of which a sanitizer knows the exact end; the part that was
// copied is not to be read again and is spoilt.
class Moved {
 public:
  explicit Moved(const Blob& message) : size_(message.size()), data_(new uint8_t[message.size()]) {
    std::copy(message.begin(), message.end(), data_.get());
    std::fill_n(data_.get(), std::min(size_, kCopied), uint8_t{0xdd});
  }
  FrameWriter::Borrowed borrowed() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> data_;
};

// Where a first write may stop: in the header, in the copied part, at its end, in the borrowed
// part.
std::vector<ssize_t> Cuts(size_t size) {
  std::vector<ssize_t> cuts = {0, 1, 3, 4, 5};
  for (const size_t at : {kCopied + 3, kCopied + 4, kCopied + 5, size + 2, size + 3}) {
    if (at < size + 4) cuts.push_back(static_cast<ssize_t>(at));
  }
  return cuts;
}

const Test kRestIsBorrowed("writer: the rest of a long message is read from a changed address", [] {
  for (const size_t size : {kCopied + 1, kCopied + 2, size_t{100000}, size_t{400000}}) {
    const Blob message = Pattern(size);
    for (const ssize_t cut : Cuts(size)) {
      ScriptedSink sink;
      FrameWriter writer;
      sink.script.Add({cut});
      Equal(writer.Send(sink, message.data(), size), 1);
      sink.script.Repeat(20, {7000, 0});
      for (;;) {
        const Moved moved(message);
        const int64_t done = writer.Flush(sink, moved.borrowed(), size_t{1} << 30);
        if (done > 0) break;
        Check(done == 0 || done == -EAGAIN, Shown(done));
      }
      Check(sink.written == Frame(message), Shown(size) + " cut at " + Shown(cut));
      Check(writer.empty());
    }
  }
});

const Test kCopiedAtLimit("writer: a message of 64 KiB is copied whole, a longer one is not", [] {
  ScriptedSink sink;
  FrameWriter writer;
  writer.Append(Pattern(kCopied).data(), kCopied);
  writer.Append(Pattern(kCopied + 1).data(), kCopied + 1);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 0);
  Equal(writer.pending_bytes(), 1u);
});

const Test kNothingBorrowed("writer: without the caller's memory only the copied part is written", [] {
  const Blob message = Pattern(100000);
  ScriptedSink sink;
  FrameWriter writer;
  writer.Append(message.data(), message.size());
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 0);
  Equal(sink.written.size(), kCopied + 4);
  const int calls = sink.calls;
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 0);
  Equal(sink.calls, calls);
  const Moved moved(message);
  Equal(writer.Flush(sink, moved.borrowed(), size_t{1} << 30), 1);
  Check(sink.written == Frame(message));
});

const Test kTooShort(
    "writer: memory that is too short by now is an error, not a read beyond it", [] {
      const Blob message = Pattern(100000);
      for (const ssize_t cut : Cuts(message.size())) {
        ScriptedSink sink;
        FrameWriter writer;
        sink.script.Add({cut});
        Equal(writer.Send(sink, message.data(), message.size()), 1);
        const uint64_t pending = writer.pending_bytes();
        for (const size_t left : {size_t{0}, size_t{1}, kCopied, size_t{99999}}) {
          const Blob shorter = Pattern(std::max<size_t>(left, 1));
          Equal(writer.Flush(sink, {shorter.data(), left}, size_t{1} << 30), kBufferChanged);
          if (cut > 0) Equal(writer.Withdraw(1, {shorter.data(), left}), kBufferChanged);
        }
        Equal(writer.pending_bytes(), pending);
        // Nothing is lost by the attempts.
        const Moved moved(message);
        Equal(writer.Flush(sink, moved.borrowed(), size_t{1} << 30), 1);
        Check(sink.written == Frame(message));
      }
    });

const Test kTooShortBehind("writer: messages before one whose memory is gone are written first",
                           [] {
                             ScriptedSink sink;
                             FrameWriter writer;
                             const Blob small = Pattern(10);
                             const Blob large = Pattern(100000);
                             writer.Append(small.data(), small.size());
                             const int64_t number = writer.Append(large.data(), large.size());
                             writer.Append(small.data(), small.size());
                             Equal(writer.Flush(sink, {large.data(), 5}, SIZE_MAX), 1);
                             Check(sink.written == Frame(small));
                             Equal(writer.Flush(sink, {large.data(), 5}, SIZE_MAX), kBufferChanged);
                             Equal(writer.Withdraw(number, {large.data(), 5}), 1);
                             Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
                             Equal(sink.written.size(), 28u);
                           });

const Test kOneAtATime("writer: borrowed memory is that of one message only", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const Blob first = Pattern(100000, 1);
  const Blob second = Pattern(90000, 2);
  writer.Append(first.data(), first.size());
  writer.Append(second.data(), second.size());
  const Moved first_memory(first);
  Equal(writer.Flush(sink, first_memory.borrowed(), size_t{1} << 30), 1);
  Check(sink.written == Frame(first));
  const Moved second_memory(second);
  Equal(writer.Flush(sink, second_memory.borrowed(), size_t{1} << 30), 1);
  Blob expected = Frame(first);
  AppendTo(expected, Frame(second));
  Check(sink.written == expected);
});

const Test kBudget("writer: a budget cuts the borrowed part", [] {
  const Blob message = Pattern(1 << 20);
  ScriptedSink sink;
  FrameWriter writer;
  writer.Append(message.data(), message.size());
  int64_t done = 0;
  int calls = 0;
  while (done == 0) {
    const Moved moved(message);
    const size_t before = sink.written.size();
    done = writer.Flush(sink, moved.borrowed(), 50000);
    Check(sink.written.size() - before <= 50000 + kCopied + 4);
    calls++;
  }
  Equal(done, 1);
  Check(calls >= 10);
  Check(sink.written == Frame(message));
});

const Test kUnlimited("writer: an unlimited budget at every position in the borrowed part", [] {
  // The budget is added to a position in the message, which must not wrap around.
  const Blob message = Pattern(kCopied + 3000);
  for (size_t cut = kCopied - 2; cut < message.size() + 4; cut += 7) {
    ScriptedSink sink;
    FrameWriter writer;
    sink.script.Add({static_cast<ssize_t>(cut)});
    Equal(writer.Send(sink, message.data(), message.size()), 1);
    const Moved moved(message);
    Equal(writer.Flush(sink, moved.borrowed(), SIZE_MAX), 1, Shown(cut));
    Check(sink.written == Frame(message));
  }
});

const Test kWithdrawLong("writer: taking back a long message, begun or not", [] {
  const Blob message = Pattern(200000);
  const Blob next = Pattern(30);
  for (const ssize_t cut : Cuts(message.size())) {
    ScriptedSink sink;
    FrameWriter writer;
    sink.script.Add({cut});
    Equal(writer.Send(sink, message.data(), message.size()), 1);
    writer.Append(next.data(), next.size());
    {
      const Moved moved(message);
      Equal(writer.Withdraw(1, moved.borrowed()), cut == 0 ? 1 : 0);
    }
    Equal(writer.pending_bytes(),
          34 + (cut == 0 ? 0 : message.size() + 4 - static_cast<size_t>(cut)));
    Equal(writer.Flush(sink, kNothing, SIZE_MAX), cut == 0 ? 1 : 2);
    Blob expected = cut == 0 ? Blob{} : Frame(message);
    AppendTo(expected, Frame(next));
    Check(sink.written == expected, Shown(cut));
    Equal(writer.pending_bytes(), 0u);
  }
});

const Test kUnframed("writer: bytes without a header between messages, at every cut", [] {
  const Blob message = Pattern(30);
  const Blob bytes = Pattern(kCopied + 5000, 1);
  Blob expected = Frame(message);
  AppendTo(expected, bytes);
  AppendTo(expected, Frame(message));
  for (const ssize_t cut : Cuts(bytes.size())) {
    ScriptedSink sink;
    FrameWriter writer;
    sink.script.Add({cut});
    writer.Append(message.data(), message.size());
    const int64_t number = writer.AppendUnframed(bytes.data(), bytes.size());
    writer.Append(message.data(), message.size());
    int64_t done = 0;
    const Moved moved(bytes);
    for (int i = 0; i < 20 && !writer.empty(); i++) {
      const int64_t completed = writer.Flush(sink, moved.borrowed(), SIZE_MAX);
      done += std::max<int64_t>(completed, 0);
      // Once begun, it is finished from a copy.
      if (done == 1 && sink.written.size() > Frame(message).size()) {
        Equal(writer.Withdraw(number, moved.borrowed()), 0);
      }
    }
    Equal(done, 3, Shown(cut));
    Check(sink.written == expected, Shown(cut));
    Equal(writer.pending_bytes(), 0u);
  }
});

const Test kWithdrawTwice("writer: a message taken back while begun stays as it is", [] {
  const Blob message = Pattern(100000);
  ScriptedSink sink;
  FrameWriter writer;
  sink.script.Add({70000});
  Equal(writer.Send(sink, message.data(), message.size()), 1);
  Equal(writer.Withdraw(1, {message.data(), message.size()}), 0);
  Equal(writer.Withdraw(1, kNothing), 0);
  sink.script.Add({10, 0});
  for (int i = 0; i < 2; i++) Check(writer.Flush(sink, kNothing, 10) <= 0);
  Equal(writer.Withdraw(1, kNothing), 0);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
  Check(sink.written == Frame(message));
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
