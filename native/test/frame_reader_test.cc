// SPDX-License-Identifier: MIT
#include "io/frame_reader.h"

#include "check.h"
#include "receiving.h"
#include "scripted.h"

namespace mp::test {
namespace {

constexpr size_t kSmall = FrameReader::kSmallBytes;

Blob Joined(const std::vector<Blob>& messages) {
  Blob stream;
  for (const Blob& message : messages) AppendTo(stream, Frame(message));
  return stream;
}

const Test kSizes("reader: messages of every interesting size, then the end", [] {
  const std::vector<size_t> sizes = {
      0,          1,          2,          3,      4,          5, 16384,  16385, kSmall - 5,
      kSmall - 4, kSmall - 3, kSmall - 1, kSmall, kSmall + 1, 0, 200000, 1};
  WithAndWithoutReadAhead([&](bool read_ahead) {
    std::vector<Blob> messages;
    for (const size_t size : sizes) messages.push_back(Pattern(size, static_cast<uint8_t>(size)));
    ScriptedSource source(Joined(messages), true);
    Receiving receiving(kNoLimit, read_ahead);
    for (const Blob& message : messages) receiving.Expect(source, message);
    for (int i = 0; i < 3; i++) Equal(receiving.Receive(source), kEndOfFile);
    Check(receiving.reader.Ready(), "the end is known without another call");
  });
});

const Test kEveryByteAlone("reader: EAGAIN between any two bytes", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    const std::vector<Blob> messages = {Pattern(3), Pattern(0), Pattern(1), Pattern(300),
                                        Pattern(2)};
    ScriptedSource source(Joined(messages), true);
    source.script.Repeat(source.left(), {1, 0, 0});
    Receiving receiving(kNoLimit, read_ahead);
    for (const Blob& message : messages) receiving.Expect(source, message);
    Equal(receiving.Receive(source), kEndOfFile);
  });
});

const Test kLongHeaderAlone("reader: a long header for a short message, byte by byte", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const size_t size : {size_t{0}, size_t{3}, kSmall, kSmall + 1}) {
      Blob stream = LongHeader(size);
      AppendTo(stream, Pattern(size));
      AppendTo(stream, Frame(Pattern(5)));
      ScriptedSource source(stream, true);
      source.script.Repeat(20, {1, 0});
      Receiving receiving(kNoLimit, read_ahead);
      receiving.Expect(source, Pattern(size));
      receiving.Expect(source, Pattern(5));
      Equal(receiving.Receive(source), kEndOfFile);
    }
  });
});

const Test kExactly("reader: without reading ahead nothing beyond the message is taken", [] {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, kSmall, kSmall + 1}) {
    Blob stream = Frame(Pattern(size));
    const size_t whole = stream.size();
    AppendTo(stream, Frame(Pattern(9)));
    ScriptedSource source(stream);
    source.script.Add({3, 0, 1, 1, 0});
    Receiving receiving;
    receiving.Expect(source, Pattern(size));
    Equal(source.taken(), whole);
    Equal(receiving.TakeHeld(), 0);
    Check(!receiving.reader.in_message());
  }
});

const Test kOneCall("reader: reading ahead serves many messages with one call", [] {
  std::vector<Blob> messages;
  for (size_t i = 0; i < 500; i++) messages.push_back(Pattern(i % 25, static_cast<uint8_t>(i)));
  ScriptedSource source(Joined(messages));
  Receiving receiving(kNoLimit, true);
  for (const Blob& message : messages) {
    Equal(receiving.Try(source), message.size());
    Check(receiving.message == message);
  }
  Equal(source.calls(), 1);
});

const Test kAcrossBuffer("reader: reading ahead across the end of the buffer", [] {
  // Sizes that divide the capacity badly, so that messages and headers lie across its end.
  for (const size_t size : {size_t{1}, size_t{997}, size_t{30000}, kSmall - 7, kSmall}) {
    std::vector<Blob> messages;
    size_t total = 0;
    for (uint8_t i = 0; total < 5 * kSmall; i++, total += size + 4) {
      messages.push_back(Pattern(size, i));
    }
    for (const ssize_t chunk : {ssize_t{777}, ssize_t{65536}, ssize_t{65535}}) {
      ScriptedSource source(Joined(messages), true);
      source.script.Repeat(source.left() / static_cast<size_t>(chunk) + 1, {chunk, 0});
      Receiving receiving(kNoLimit, true);
      for (const Blob& message : messages) receiving.Expect(source, message);
      Equal(receiving.Receive(source), kEndOfFile);
    }
  }
});

const Test kSwitchedOff("reader: reading ahead can end anywhere and keeps what is held", [] {
  const std::vector<Blob> messages = {Pattern(3), Pattern(10), Pattern(0), Pattern(70000),
                                      Pattern(4)};
  const Blob stream = Joined(messages);
  for (size_t cut = 1; cut < 40; cut++) {
    ScriptedSource source(stream);
    source.script.Add({static_cast<ssize_t>(cut), 0});
    Receiving receiving(kNoLimit, true);
    size_t received = 0;
    while (receiving.Try(source) >= 0) received++;
    receiving.reader.set_read_ahead(false);
    for (; received < messages.size(); received++) receiving.Expect(source, messages[received]);
    Equal(receiving.TakeHeld(), 0);
  }
});

const Test kEndAtEveryByte("reader: the end at every byte, and what had arrived", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const bool long_form : {false, true}) {
      Blob stream = long_form ? LongHeader(6) : ShortHeader(6);
      const size_t header = stream.size();
      AppendTo(stream, Pattern(6));
      for (size_t have = 0; have < stream.size(); have++) {
        ScriptedSource source(
            Blob(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(have)), true);
        source.script.Repeat(have, {1, 0});
        Receiving receiving(kNoLimit, read_ahead);
        Equal(receiving.Receive(source), have == 0 ? kEndOfFile : kTruncated, Shown(have));
        if (have > 0) {
          const bool in_header = have < header;
          Equal(receiving.reader.received(), in_header ? have : have - header, Shown(have));
          Equal(receiving.reader.length(), !in_header ? 6u : have < 4 ? 4u : header, Shown(have));
        }
        Equal(receiving.Receive(source), kEndOfFile, "again");
        Equal(receiving.reader.ReadDescriptor(source), kEndOfFile);
      }
    }
  });
});

const Test kEndInsideLarge("reader: the end inside a large message", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    const Blob stream = Frame(Pattern(100000));
    for (const size_t have : {size_t{4}, size_t{5}, size_t{65540}, size_t{100003}}) {
      ScriptedSource source(
          Blob(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(have)), true);
      Receiving receiving(kNoLimit, read_ahead);
      Equal(receiving.Receive(source), kTruncated);
      Equal(receiving.reader.received(), have - 4);
      Equal(receiving.reader.length(), 100000);
      Equal(receiving.Receive(source), kEndOfFile);
    }
  });
});

const Test kTooLongStatus("reader: a message above this call's limit", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const size_t size : {size_t{11}, size_t{100000}}) {
      ScriptedSource source(Frame(Pattern(size)));
      Receiving receiving(kNoLimit, read_ahead);
      Equal(receiving.Receive(source, size - 1), kTooLong);
      Equal(receiving.reader.length(), size);
      Equal(receiving.Receive(source), kUnreadable);
      Equal(receiving.reader.ReadDescriptor(source), kUnreadable);
      uint8_t byte = 0;
      Equal(receiving.reader.ReadLarge(source, &byte, 1, 1), kUnreadable);
      Check(receiving.reader.Ready(), "a lasting failure");
      // Without reading ahead only the header has been consumed, as in CPython.
      if (!read_ahead) Equal(source.taken(), 4u);
      ScriptedSource fitting(Frame(Pattern(size)));
      Receiving other(kNoLimit, read_ahead);
      Equal(other.Receive(fitting, size), size);
    }
  });
});

const Test kLimitOfLaterCall("reader: the limit of the call that completes the message counts", [] {
  ScriptedSource source(Frame(Pattern(20)));
  source.script.Add({4, 5, 0});
  Receiving receiving;
  Equal(receiving.Try(source, 100), -EAGAIN);
  Equal(receiving.Try(source, 10), kTooLong);
});

const Test kBadLengthStatus("reader: lengths that no message has", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    const struct {
      Blob header;
      int64_t length;
    } cases[] = {
        {ShortHeader(-2), -2},
        {ShortHeader(INT32_MIN), INT32_MIN},
        {LongHeader(UINT64_MAX), INT64_MAX},
        {LongHeader(1ull << 63), INT64_MAX},
        {ShortHeader(1001), 1001},
        {LongHeader(1001), 1001},
        {LongHeader(INT64_MAX), INT64_MAX},
    };
    for (const auto& [header, length] : cases) {
      Blob stream = header;
      AppendTo(stream, Pattern(50));
      ScriptedSource source(stream);
      Receiving receiving(1000, read_ahead);
      Equal(receiving.Receive(source), kBadLength, Shown(length));
      Equal(receiving.reader.length(), length);
      Equal(receiving.Receive(source), kUnreadable);
    }
    ScriptedSource source(Frame(Pattern(1000)));
    Receiving receiving(1000, read_ahead);
    receiving.Expect(source, Pattern(1000));
  });
});

const Test kErrors("reader: an error of the source is passed on and does not lose bytes", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const size_t size : {size_t{10}, size_t{70000}}) {
      const Blob stream = Frame(Pattern(size));
      for (ssize_t before = 1; before < 14; before++) {
        ScriptedSource source(stream);
        source.script.Add({before, -ECONNRESET, 2, -EIO});
        Receiving receiving(kNoLimit, read_ahead);
        int failures = 0;
        int64_t status = -1;
        while (status < 0 && failures < 3) {
          status = receiving.Try(source);
          if (status == -ECONNRESET || status == -EIO) failures++;
        }
        if (failures < 2) continue;  // The message was complete before.
        Equal(status, size);
        Check(receiving.message == Pattern(size));
      }
    }
  });
});

const Test kBudget("reader: a large message within a budget per call", [] {
  const Blob message = Pattern(200000);
  ScriptedSource source(Frame(message));
  Receiving receiving;
  Blob slab(kSmall);
  Equal(receiving.reader.ReadSmall(source, slab.data(), UINT64_MAX), kLargeMessage);
  Equal(receiving.reader.ReadSmall(source, slab.data(), UINT64_MAX), kLargeMessage, "asked again");
  Blob body(message.size());
  for (size_t have = 0; have < message.size();) {
    const int64_t now = receiving.reader.ReadLarge(source, body.data(), body.size(), 30000);
    Equal(now, std::min(have + 30000, message.size()));
    have = static_cast<size_t>(now);
    Equal(source.taken(), have + 4);
  }
  Check(body == message);
  Check(!receiving.reader.in_message());
});

const Test kMovedMemory("reader: a large message may move to other memory between calls", [] {
  const Blob message = Pattern(150000);
  ScriptedSource source(Frame(message));
  source.script.Add({4});
  source.script.Repeat(50, {4000, 0});
  Receiving receiving;
  receiving.growth = 1000;
  receiving.Expect(source, message);
});

const Test kLargeWithoutOne("reader: ReadLarge with no large message at hand", [] {
  ScriptedSource source(Frame(Pattern(3)));
  FrameReader reader(kNoLimit);
  uint8_t bytes[8];
  Check(reader.ReadLarge(source, bytes, sizeof bytes, SIZE_MAX) < 0);
  Equal(source.taken(), 0u);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
