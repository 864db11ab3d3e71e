// SPDX-License-Identifier: MIT
//
// Random sequences of messages through a writer and a reader, and random bytes into a reader. Each
// round has its own seed, which a failure names: NATIVE_TEST_SEED is the first one and
// NATIVE_TEST_ROUNDS is how many there are.
#include <algorithm>
#include <optional>
#include <random>

#include "check.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "receiving.h"
#include "scripted.h"
#include "util/status.h"

namespace mp::test {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // From 0 to `most`.
  size_t UpTo(size_t most) { return std::uniform_int_distribution<size_t>(0, most)(engine_); }
  bool OneIn(size_t n) { return UpTo(n - 1) == 0; }

  // Mostly small, sometimes around the limits that the code has.
  size_t MessageSize() {
    if (OneIn(12)) return FrameReader::kSmallBytes - 3 + UpTo(6);
    if (OneIn(20)) return UpTo(300000);
    return OneIn(3) ? UpTo(5000) : UpTo(40);
  }

  // Small chunks for a while, then large ones, so that a round comes to its end.
  ssize_t Step() {
    if (OneIn(4)) return 0;
    return static_cast<ssize_t>(OneIn(2) ? 1 + UpTo(5) : 1 + UpTo(100000));
  }

 private:
  std::mt19937_64 engine_;
};

template <typename Round>
void ForEachSeed(size_t usual_rounds, Round round) {
  const uint64_t first = Setting("NATIVE_TEST_SEED", 1);
  const uint64_t rounds = Setting("NATIVE_TEST_ROUNDS", usual_rounds);
  for (uint64_t seed = first; seed < first + rounds; seed++) {
    try {
      Random random(seed);
      round(random);
    } catch (const std::exception& error) {
      throw std::runtime_error("seed " + std::to_string(seed) + ": " + error.what());
    }
  }
}

// One thing that the reader is to find: a message or a descriptor.
struct Item {
  Blob message;
  bool descriptor = false;
  int64_t number = 0;    // While it waits.
  bool borrows = false;  // While a part of it is read from `message`.
};

// Feeds a writer with random calls and remembers what it has to write.
class Sending {
 public:
  explicit Sending(Random& random)
      : random_(random), writer_(random.OneIn(2) ? SIZE_MAX : random.UpTo(70000)) {}

  ScriptedSink sink;
  std::vector<Item> written;

  void Run(size_t calls) {
    for (size_t i = 0; i < calls; i++) {
      for (int step = 0; step < 3; step++) sink.script.Add({random_.Step()});
      if (random_.OneIn(8)) {
        const int64_t number = writer_.AppendDescriptor(AnyDescriptor());
        waiting_.push_back({{}, true, number});
      } else {
        Message();
      }
      while (random_.OneIn(3)) Flush(random_.OneIn(2) ? SIZE_MAX : 1 + random_.UpTo(100000));
      if (random_.OneIn(5) && !waiting_.empty()) Withdraw(random_.UpTo(waiting_.size() - 1));
    }
    sink.script = Script();
    while (!writer_.empty()) Flush(SIZE_MAX);
    Equal(writer_.pending_bytes(), 0u);
    Equal(waiting_.size(), 0u);
  }

 private:
  void Message() {
    Item item{Pattern(random_.MessageSize(), static_cast<uint8_t>(random_.UpTo(255)))};
    const Blob& message = item.message;
    item.number = writer_.empty() ? writer_.Send(sink, message.data(), message.size())
                                  : writer_.Append(message.data(), message.size());
    Check(item.number >= 0);
    if (item.number == 0) {
      written.push_back(std::move(item));
      return;
    }
    item.borrows = message.size() > FrameWriter::kCopiedBytes;
    waiting_.push_back(std::move(item));
  }

  // The memory of the first message that borrows, as its owner would supply it now.
  FrameWriter::Borrowed BorrowedFrom(size_t first) {
    for (size_t i = first; i < waiting_.size(); i++) {
      if (!waiting_[i].borrows) continue;
      borrowed_ = waiting_[i].message;
      return {borrowed_.data(), borrowed_.size()};
    }
    return {};
  }

  void Flush(size_t budget) {
    const uint64_t before = writer_.pending_bytes();
    const size_t there = sink.written.size();
    const int64_t done = writer_.Flush(sink, BorrowedFrom(0), budget);
    Check(done >= 0 || done == -EAGAIN, Shown(done));
    Equal(before - writer_.pending_bytes(), sink.written.size() - there);
    for (int64_t i = 0; i < done; i++) {
      written.push_back(std::move(waiting_.front()));
      waiting_.erase(waiting_.begin());
    }
  }

  void Withdraw(size_t index) {
    Item& item = waiting_[index];
    const int64_t status = writer_.Withdraw(
        item.number, item.borrows ? BorrowedFrom(index) : FrameWriter::Borrowed{});
    item.borrows = false;
    if (status == 1)
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    else
      Equal(status, 0);
  }

  Random& random_;
  FrameWriter writer_;
  std::vector<Item> waiting_;
  Blob borrowed_;
};

const Test kRoundTrip("round trip: what a writer writes in pieces a reader reads in others", [] {
  ForEachSeed(150, [](Random& random) {
    Sending sending(random);
    sending.Run(3 + random.UpTo(20));
    Blob expected;
    for (const Item& item : sending.written) {
      AppendTo(expected, item.descriptor ? Blob{1} : Frame(item.message));
    }
    Check(sending.sink.written == expected, "the bytes differ");

    ScriptedSource source(expected, true);
    for (const size_t position : sending.sink.descriptor_positions)
      source.DescriptorsAt(position, 1);
    const size_t steps = random.UpTo(200);
    for (size_t i = 0; i < steps; i++) source.script.Add({random.Step()});
    Receiving receiving(kNoLimit, random.OneIn(2));
    receiving.budget = random.OneIn(2) ? SIZE_MAX : 1 + random.UpTo(50000);
    receiving.growth = 1 + random.UpTo(100000);
    for (const Item& item : sending.written) {
      if (random.OneIn(10)) receiving.reader.set_read_ahead(random.OneIn(2));
      if (!item.descriptor) {
        receiving.Expect(source, item.message);
        continue;
      }
      int64_t fd = -EAGAIN;
      while (fd == -EAGAIN) fd = receiving.reader.ReadDescriptor(source);
      Check(fd >= 0, "no descriptor: " + Shown(fd));
      const UniqueFd arrived(static_cast<int>(fd));
    }
    Equal(receiving.Receive(source), kEndOfFile);
  });
});

constexpr size_t kFuzzLimit = 100000;

// What a stream means, decoded in the plainest way: messages, and how it ends.
struct Meaning {
  std::vector<Blob> messages;
  int64_t end = kEndOfFile;
};

Meaning Decode(const Blob& stream) {
  Meaning meaning;
  size_t at = 0;
  const auto number = [&](size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value * 256 + stream[at++];
    return value;
  };
  while (at < stream.size()) {
    meaning.end = kTruncated;
    if (stream.size() - at < 4) return meaning;
    uint64_t length = number(4);
    if (length == 0xffffffff) {
      if (stream.size() - at < 8) return meaning;
      length = number(8);
    } else if (length > 0x7fffffff) {
      length = UINT64_MAX;
    }
    meaning.end = kBadLength;
    if (length > kFuzzLimit) return meaning;
    meaning.end = kTruncated;
    if (stream.size() - at < length) return meaning;
    const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at);
    meaning.messages.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length));
    at += length;
    meaning.end = kEndOfFile;
  }
  return meaning;
}

void ExpectMeaning(Random& random, const Blob& stream) {
  const Meaning meaning = Decode(stream);
  ScriptedSource source(stream, true);
  const size_t steps = random.UpTo(100);
  for (size_t i = 0; i < steps; i++) source.script.Add({random.Step()});
  Receiving receiving(kFuzzLimit, random.OneIn(2));
  receiving.growth = 1 + random.UpTo(100000);
  for (const Blob& message : meaning.messages) receiving.Expect(source, message);
  Equal(receiving.Receive(source), meaning.end);
  Equal(receiving.Receive(source), meaning.end == kBadLength ? kUnreadable : kEndOfFile);
}

const Test kMutated("round trip: streams with changed, lost and added bytes", [] {
  ForEachSeed(1500, [](Random& random) {
    Blob stream;
    const size_t messages = random.UpTo(6);
    for (size_t i = 0; i < messages; i++) {
      const Blob message = Pattern(random.OneIn(30) ? random.UpTo(120000) : random.UpTo(60));
      if (random.OneIn(3)) {
        AppendTo(stream, LongHeader(message.size()));
        AppendTo(stream, message);
      } else {
        AppendTo(stream, Frame(message));
      }
    }
    for (size_t changes = random.UpTo(3); changes > 0 && !stream.empty(); changes--) {
      // Near the beginning more often than elsewhere, where headers are.
      const size_t at =
          random.UpTo(std::min<size_t>(stream.size() - 1, random.OneIn(2) ? 80 : SIZE_MAX));
      const auto where = stream.begin() + static_cast<std::ptrdiff_t>(at);
      switch (random.UpTo(3)) {
        case 0:
          *where = static_cast<uint8_t>(random.UpTo(255));
          break;
        case 1:
          stream.erase(where);
          break;
        case 2:
          stream.insert(where, random.UpTo(20), random.OneIn(2) ? 0xff : 0);
          break;
        default:
          stream.resize(at);
      }
    }
    ExpectMeaning(random, stream);
  });
});

const Test kRandomBytes("round trip: random bytes", [] {
  ForEachSeed(3000, [](Random& random) {
    Blob stream(random.UpTo(400));
    // Many zeros and 0xff, so that headers of every kind are among them.
    for (uint8_t& byte : stream) {
      const size_t kind = random.UpTo(5);
      byte = kind < 3 ? 0 : kind == 3 ? 0xff : static_cast<uint8_t>(random.UpTo(255));
    }
    ExpectMeaning(random, stream);
  });
});

const Test kRandomDescriptors("round trip: descriptors anywhere neither crash nor leak", [] {
  ForEachSeed(1500, [](Random& random) {
    Blob stream;
    for (size_t i = random.UpTo(5); i > 0; i--) AppendTo(stream, Frame(Pattern(random.UpTo(30))));
    ScriptedSource source(stream, true);
    for (size_t i = random.UpTo(4); i > 0; i--) {
      source.DescriptorsAt(random.UpTo(stream.size()), 1 + static_cast<int>(random.UpTo(2)));
    }
    for (size_t i = random.UpTo(60); i > 0; i--) source.script.Add({random.Step()});
    Receiving receiving(kFuzzLimit, random.OneIn(2));
    for (size_t i = 0; i < stream.size() + 100; i++) {
      if (random.OneIn(3)) {
        const int64_t fd = receiving.reader.ReadDescriptor(source);
        const UniqueFd arrived(static_cast<int>(std::max<int64_t>(fd, -1)));
      } else {
        (void)receiving.Try(source);
      }
    }
    Check(receiving.reader.Ready(), "the end or a failure has been found");
  });
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
