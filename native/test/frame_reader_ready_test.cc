// SPDX-License-Identifier: MIT
//
// Descriptors among the bytes, and Ready(), which must agree with what the next call does.
#include "check.h"
#include "io/frame_reader.h"
#include "receiving.h"
#include "scripted.h"

namespace mp::test {
namespace {

const Test kHandle("reader: a descriptor with its byte", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    ScriptedSource source(Blob{1, 1}, true);
    source.DescriptorsAt(0, 1);
    source.DescriptorsAt(1, 1);
    Receiving receiving(kNoLimit, read_ahead);
    for (int i = 0; i < 2; i++) {
      const int64_t fd = receiving.reader.ReadDescriptor(source);
      Check(fd >= 0, "no descriptor");
      const UniqueFd arrived(static_cast<int>(fd));
      Check(IsOpen(arrived.get()));
    }
    Equal(receiving.reader.ReadDescriptor(source), kEndOfFile);
    Equal(receiving.Receive(source), kEndOfFile);
  });
});

const Test kHandleLater("reader: waiting for a descriptor takes nothing", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    ScriptedSource source(Blob{});
    Receiving receiving(kNoLimit, read_ahead);
    Equal(receiving.reader.ReadDescriptor(source), -EAGAIN);
    source.DescriptorsAt(0, 1);
    source.Extend({1});
    const UniqueFd arrived(static_cast<int>(receiving.reader.ReadDescriptor(source)));
    Check(IsOpen(arrived.get()));
  });
});

const Test kBetween("reader: descriptors between messages, in order", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    Blob stream = Frame(Pattern(5));
    std::vector<size_t> handles = {stream.size()};
    stream.push_back(1);
    AppendTo(stream, Frame(Pattern(0)));
    AppendTo(stream, Frame(Pattern(70000)));
    handles.push_back(stream.size());
    stream.push_back(1);
    AppendTo(stream, Frame(Pattern(7)));
    for (const bool slowly : {false, true}) {
      ScriptedSource source(stream, true);
      for (const size_t position : handles) source.DescriptorsAt(position, 1);
      if (slowly) source.script.Repeat(40, {1, 0});
      Receiving receiving(kNoLimit, read_ahead);
      const auto handle = [&] {
        int64_t fd = -EAGAIN;
        while (fd == -EAGAIN) fd = receiving.reader.ReadDescriptor(source);
        Check(fd >= 0, "no descriptor: " + Shown(fd));
        const UniqueFd arrived(static_cast<int>(fd));
      };
      receiving.Expect(source, Pattern(5));
      handle();
      receiving.Expect(source, Pattern(0));
      receiving.Expect(source, Pattern(70000));
      handle();
      receiving.Expect(source, Pattern(7));
      Equal(receiving.Receive(source), kEndOfFile);
    }
  });
});

const Test kUnexpected("reader: a descriptor at any byte of a message is refused and closed", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const int how_many : {1, 2}) {
      for (const Blob& header : {ShortHeader(6), LongHeader(6)}) {
        Blob stream = header;
        AppendTo(stream, Pattern(6));
        const size_t whole = stream.size();
        AppendTo(stream, Frame(Pattern(4)));
        for (size_t position = 0; position < whole; position++) {
          for (const bool slowly : {false, true}) {
            ScriptedSource source(stream);
            source.DescriptorsAt(position, how_many);
            if (slowly) source.script.Repeat(whole, {1, 0});
            Receiving receiving(kNoLimit, read_ahead);
            Equal(receiving.Receive(source), kUnexpectedDescriptor, Shown(position));
            Equal(receiving.Receive(source), kUnreadable);
            Equal(receiving.reader.ReadDescriptor(source), kUnreadable);
          }
        }
      }
    }
  });
});

const Test kUnexpectedInLarge("reader: a descriptor inside a large message", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    for (const size_t position :
         {size_t{4}, size_t{5}, size_t{65539}, size_t{65540}, size_t{70003}}) {
      for (const int how_many : {1, 2}) {
        ScriptedSource source(Frame(Pattern(70000)));
        source.DescriptorsAt(position, how_many);
        Receiving receiving(kNoLimit, read_ahead);
        Equal(receiving.Receive(source), kUnexpectedDescriptor, Shown(position));
        Equal(receiving.Receive(source), kUnreadable);
      }
    }
  });
});

const Test kDroppedReader("reader: a descriptor that nobody takes is closed with the reader", [] {
  Blob stream = Frame(Pattern(3));
  stream.push_back(1);
  ScriptedSource source(stream);
  source.DescriptorsAt(7, 1);
  Receiving receiving(kNoLimit, true);
  receiving.Expect(source, Pattern(3));
  Check(receiving.reader.Ready(), "the descriptor is held");
});

const Test kNoHandle("reader: a byte without a descriptor is consumed", [] {
  WithAndWithoutReadAhead([](bool read_ahead) {
    ScriptedSource source(Blob{1, 1});
    source.DescriptorsAt(1, 1);
    Receiving receiving(kNoLimit, read_ahead);
    Equal(receiving.reader.ReadDescriptor(source), kNoDescriptor);
    const UniqueFd arrived(static_cast<int>(receiving.reader.ReadDescriptor(source)));
    Check(IsOpen(arrived.get()));
  });
});

const Test kHandleInside("reader: no descriptor is due inside a message", [] {
  for (const ssize_t have : {2, 4, 6}) {
    ScriptedSource source(Frame(Pattern(5)));
    // The header is read by itself.
    if (have > 4)
      source.script.Add({4, have - 4, 0});
    else
      source.script.Add({have, 0});
    Receiving receiving;
    Equal(receiving.Try(source), -EAGAIN);
    const size_t taken = source.taken();
    Equal(receiving.reader.ReadDescriptor(source), kNoDescriptor);
    Equal(source.taken(), taken, "nothing more is read");
    receiving.Expect(source, Pattern(5));
  }
});

// Ready() must be true exactly when an attempt with a source that has nothing makes progress.
const Test kReadyAgrees("reader: Ready() agrees with the next attempt, at every byte", [] {
  for (const bool long_form : {false, true}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{9}, size_t{65536}, size_t{65537}}) {
      Blob stream = Frame(Pattern(2));
      const Blob header = long_form ? LongHeader(size) : ShortHeader(static_cast<int32_t>(size));
      AppendTo(stream, header);
      AppendTo(stream, Pattern(size));
      std::vector<size_t> cuts;
      for (size_t cut = 6; cut <= std::min<size_t>(stream.size(), 40); cut++) cuts.push_back(cut);
      if (stream.size() <= FrameReader::kSmallBytes) cuts.push_back(stream.size());
      for (const size_t cut : cuts) {
        ScriptedSource source(stream);
        source.script.Add({static_cast<ssize_t>(cut)});
        source.script.Repeat(4, {0});
        Receiving receiving(kNoLimit, true);
        receiving.Expect(source, Pattern(2));
        const bool ready = receiving.reader.Ready();
        Blob slab(FrameReader::kSmallBytes);
        const int64_t status = receiving.reader.ReadSmall(source, slab.data(), UINT64_MAX);
        Equal(ready, status != -EAGAIN, Shown(size) + " cut at " + Shown(cut));
      }
    }
  }
});

const Test kReadyToRefuse("reader: Ready() when a descriptor came with part of a header", [] {
  Blob stream = Frame(Pattern(2));
  AppendTo(stream, {0, 0});
  ScriptedSource source(stream);
  source.DescriptorsAt(7, 1);
  Receiving receiving(kNoLimit, true);
  receiving.Expect(source, Pattern(2));
  Check(receiving.reader.Ready(), "the next attempt fails without another byte");
  Equal(receiving.Try(source), kUnexpectedDescriptor);
});

const Test kReadyInvalid("reader: Ready() when an invalid header is held", [] {
  Blob stream = Frame(Pattern(2));
  AppendTo(stream, ShortHeader(-7));
  ScriptedSource source(stream);
  Receiving receiving(kNoLimit, true);
  receiving.Expect(source, Pattern(2));
  Check(receiving.reader.Ready());
  Equal(receiving.Try(source), kBadLength);
  Check(receiving.reader.Ready());
});

const Test kReadyAfterGivingUp("reader: a part of a message is not ready, the rest completes it",
                               [] {
                                 ScriptedSource source(Frame(Pattern(8)));
                                 source.script.Add({3, 0, 4, 0});
                                 Receiving receiving(kNoLimit, true);
                                 for (int i = 0; i < 2; i++) {
                                   Equal(receiving.Try(source), -EAGAIN);
                                   Check(!receiving.reader.Ready());
                                   Check(receiving.reader.in_message());
                                 }
                                 receiving.Expect(source, Pattern(8));
                                 Check(!receiving.reader.Ready());
                               });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
