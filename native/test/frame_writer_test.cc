// SPDX-License-Identifier: MIT
#include "io/frame_writer.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "check.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr FrameWriter::Borrowed kNothing{};

const Test kAtOnce("writer: a message is written with one call when there is room", [] {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{65537}, size_t{300000}}) {
    ScriptedSink sink;
    FrameWriter writer;
    const Blob message = Pattern(size);
    Equal(writer.Send(sink, message.data(), size), 0);
    Equal(sink.calls, 1);
    Check(sink.written == Frame(message));
    Check(writer.empty());
    Equal(writer.pending_bytes(), 0u);
  }
});

const Test kHeaderAlone(
    "writer: the header of a long message leaves alone where that was asked for", [] {
      constexpr size_t kFrom = 100;
      for (const size_t size : {size_t{99}, size_t{100}, size_t{300000}}) {
        const int calls = size < kFrom ? 1 : 2;
        const Blob message = Pattern(size);
        const FrameWriter::Borrowed borrowed{message.data(), size};
        {
          ScriptedSink sink;
          FrameWriter writer(kFrom);
          Equal(writer.Send(sink, message.data(), size), 0);
          Equal(sink.calls, calls);
          Check(sink.written == Frame(message));
        }
        // Cut short at every byte of the header, and right behind it.
        for (ssize_t cut = 0; cut <= 4; cut++) {
          ScriptedSink sink;
          FrameWriter writer(kFrom);
          sink.script.Add({cut, 0});
          Equal(writer.Send(sink, message.data(), size), 1);
          writer.Append(message.data(), 1);
          int64_t done = 0;
          while (!writer.empty()) done += std::max<int64_t>(writer.Flush(sink, borrowed, SIZE_MAX), 0);
          Equal(done, 2);
          // The first write and the EAGAIN after it, the rest, and what needs a call of its own: a
          // header that is not out yet, and borrowed memory, which ends the list.
          const int alone = size >= kFrom && cut < 4 ? 1 : 0;
          Equal(sink.calls, 3 + alone + (size == 300000 ? 1 : 0));
          Blob expected = Frame(message);
          AppendTo(expected, Frame(Blob(message.begin(), message.begin() + 1)));
          Check(sink.written == expected, Shown(cut));
        }
        // The error that follows a header is that of the message.
        ScriptedSink sink;
        FrameWriter writer(kFrom);
        sink.script.Add({4, -EPIPE, -EPIPE});
        if (size < kFrom) continue;
        Equal(writer.Send(sink, message.data(), size), 1);
        Equal(writer.Flush(sink, borrowed, SIZE_MAX), -EPIPE);
      }
    });

const Test kEmptyFromNull("writer: an empty message needs no memory", [] {
  ScriptedSink sink;
  FrameWriter writer;
  Equal(writer.Send(sink, nullptr, 0), 0);
  writer.Append(nullptr, 0);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
  Check(sink.written == Blob(8, 0));
});

const Test kShortFirstWrite("writer: a first write cut short at every byte", [] {
  const Blob message = Pattern(20);
  for (ssize_t cut = 0; cut < 24; cut++) {
    ScriptedSink sink;
    FrameWriter writer;
    {
      // The caller's memory is gone when the rest is written.
      const Blob temporary = message;
      sink.script.Add({cut});
      Equal(writer.Send(sink, temporary.data(), temporary.size()), 1);
    }
    Equal(writer.pending_bytes(), 24 - cut);
    Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
    Check(sink.written == Frame(message), Shown(cut));
    Equal(writer.pending_bytes(), 0u);
  }
});

const Test kShortLaterWrites("writer: short writes and EAGAIN at every byte of a queue", [] {
  ScriptedSink sink;
  FrameWriter writer;
  Blob expected;
  const size_t sizes[] = {3, 0, 17, 1, 0, 40};
  for (const size_t size : sizes) {
    const Blob message = Pattern(size, static_cast<uint8_t>(size));
    writer.Append(message.data(), size);
    AppendTo(expected, Frame(message));
  }
  Equal(writer.pending_bytes(), expected.size());
  sink.script.Repeat(expected.size(), {1, 0});
  int64_t completed = 0;
  while (!writer.empty()) {
    const int64_t done = writer.Flush(sink, kNothing, SIZE_MAX);
    Check(done >= 0 || done == -EAGAIN, Shown(done));
    completed += std::max<int64_t>(done, 0);
    Equal(writer.pending_bytes() + sink.written.size(), expected.size());
  }
  Equal(completed, std::size(sizes));
  Check(sink.written == expected);
});

const Test kGathered("writer: many small messages leave with few calls", [] {
  ScriptedSink sink;
  FrameWriter writer;
  Blob expected;
  for (size_t i = 0; i < 1000; i++) {
    const Blob message = Pattern(i % 50, static_cast<uint8_t>(i));
    writer.Append(message.data(), message.size());
    AppendTo(expected, Frame(message));
  }
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1000);
  Check(sink.written == expected);
  Check(sink.calls <= 20, Shown(sink.calls) + " calls");
});

const Test kNothingToDo("writer: nothing waits, nothing is written", [] {
  ScriptedSink sink;
  FrameWriter writer;
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 0);
  Equal(sink.calls, 0);
});

const Test kFailedSend("writer: a failed first write leaves nothing behind", [] {
  for (const ssize_t error : {-EPIPE, -ECONNRESET, -EBADF}) {
    ScriptedSink sink;
    sink.script.Add({error});
    FrameWriter writer;
    const Blob message = Pattern(10);
    Equal(writer.Send(sink, message.data(), 10), error);
    Check(writer.empty());
    Equal(writer.pending_bytes(), 0u);
  }
});

const Test kFailedFlush("writer: a failure is reported after what was completed before it", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const Blob message = Pattern(10);
  int64_t numbers[3];
  for (int64_t& number : numbers) number = writer.Append(message.data(), 10);
  sink.script.Add({14 + 3, -EPIPE, -EPIPE});
  // The first message is complete, the second one has begun.
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), -EPIPE);
  Equal(writer.Withdraw(numbers[1], kNothing), 0);
  Equal(writer.Withdraw(numbers[2], kNothing), 1);
  writer.Clear();
  Check(writer.empty());
  Equal(writer.pending_bytes(), 0u);
});

const Test kBudget("writer: a budget bounds what one call writes", [] {
  ScriptedSink sink;
  FrameWriter writer;
  Blob expected;
  for (size_t i = 0; i < 50; i++) {
    const Blob message = Pattern(1000, static_cast<uint8_t>(i));
    writer.Append(message.data(), 1000);
    AppendTo(expected, Frame(message));
  }
  int64_t completed = 0;
  while (!writer.empty()) {
    const size_t before = sink.written.size();
    const int64_t done = writer.Flush(sink, kNothing, 5000);
    Check(done > 0);
    completed += done;
    // One message may exceed what is left of the budget.
    Check(sink.written.size() - before < 5000 + 1004);
  }
  Equal(completed, 50);
  Check(sink.written == expected);
  Equal(writer.Flush(sink, kNothing, 0), 0);
});

const Test kDescriptors("writer: descriptors between messages, in order", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const Blob message = Pattern(6);
  writer.AppendDescriptor(AnyDescriptor());
  writer.Append(message.data(), 6);
  writer.AppendDescriptor(AnyDescriptor());
  writer.AppendDescriptor(AnyDescriptor());
  writer.Append(message.data(), 6);
  Equal(writer.pending_bytes(), 23u);
  // The numbers: EAGAIN before a descriptor, a short message, EAGAIN again.
  sink.script.Add({0, 1, 4, 0, 6, 0});
  int64_t completed = 0;
  while (!writer.empty()) {
    const int64_t done = writer.Flush(sink, kNothing, SIZE_MAX);
    Check(done >= 0 || done == -EAGAIN, Shown(done));
    completed += std::max<int64_t>(done, 0);
  }
  Equal(completed, 5);
  Blob expected = {1};
  AppendTo(expected, Frame(message));
  AppendTo(expected, {1, 1});
  AppendTo(expected, Frame(message));
  Check(sink.written == expected);
  Check(sink.descriptor_positions == std::vector<size_t>{0, 11, 12});
});

const Test kDescriptorFails("writer: a descriptor that cannot be sent", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const int64_t number = writer.AppendDescriptor(AnyDescriptor());
  sink.script.Add({-EPIPE});
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), -EPIPE);
  Equal(writer.pending_bytes(), 1u);
  Equal(writer.Withdraw(number, kNothing), 1);
  Equal(writer.pending_bytes(), 0u);
});

const Test kDroppedWriter("writer: descriptors that were never sent are closed", [] {
  FrameWriter writer;
  for (int i = 0; i < 5; i++) writer.AppendDescriptor(AnyDescriptor());
});

const Test kWithdrawWaiting("writer: a message that has not begun can be taken back", [] {
  for (size_t index = 0; index < 3; index++) {
    ScriptedSink sink;
    FrameWriter writer;
    Blob expected;
    int64_t numbers[3];
    for (size_t i = 0; i < 3; i++) {
      const Blob message = Pattern(10 + i, static_cast<uint8_t>(i));
      numbers[i] = writer.Append(message.data(), message.size());
      if (i != index) AppendTo(expected, Frame(message));
    }
    Equal(writer.Withdraw(numbers[index], kNothing), 1);
    Equal(writer.pending_bytes(), expected.size());
    Equal(writer.Flush(sink, kNothing, SIZE_MAX), 2);
    Check(sink.written == expected);
  }
});

const Test kWithdrawBegun("writer: a message that has begun is finished all the same", [] {
  const Blob message = Pattern(10);
  for (ssize_t cut = 1; cut < 14; cut++) {
    ScriptedSink sink;
    FrameWriter writer;
    sink.script.Add({cut});
    const int64_t begun = writer.Send(sink, message.data(), 10);
    Check(begun > 0);
    const int64_t behind = writer.Append(message.data(), 10);
    Equal(writer.Withdraw(begun, kNothing), 0);
    Equal(writer.Withdraw(behind, kNothing), 1);
    Equal(writer.pending_bytes(), 14 - cut);
    Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
    Check(sink.written == Frame(message));
  }
});

const Test kNumbers("writer: numbers grow over messages of every kind and are used once", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const Blob message = Pattern(5);
  sink.script.Add({0});
  std::vector<int64_t> numbers = {writer.Send(sink, message.data(), 5)};
  for (int round = 0; round < 2; round++) {
    numbers.push_back(writer.Append(message.data(), 5));
    numbers.push_back(writer.AppendUnframed(message.data(), 5));
    numbers.push_back(writer.AppendDescriptor(AnyDescriptor()));
    Equal(writer.Withdraw(numbers.back(), kNothing), 1);
    if (round == 0) Equal(writer.Flush(sink, kNothing, SIZE_MAX), 3);
  }
  Check(numbers.front() > 0);
  for (size_t i = 1; i < numbers.size(); i++) Check(numbers[i] > numbers[i - 1]);
});

const Test kWithdrawWritten("writer: a message that was written cannot be taken back", [] {
  ScriptedSink sink;
  FrameWriter writer;
  const Blob message = Pattern(5);
  const int64_t written = writer.Append(message.data(), 5);
  Equal(writer.Flush(sink, kNothing, SIZE_MAX), 1);
  const int64_t waiting = writer.Append(message.data(), 5);
  Equal(writer.Withdraw(written, kNothing), 0);
  Equal(writer.pending_bytes(), 9u);
  Equal(writer.Withdraw(waiting, kNothing), 1);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
