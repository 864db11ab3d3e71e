// SPDX-License-Identifier: MIT
#include "loop/event_set.h"

#include <unistd.h>

#include <set>
#include <vector>

#include "check.h"
#include "pairs.h"
#include "scripted.h"

namespace mp::test {
namespace {

// A set, and what it reports.
class Watching {
 public:
  Watching() { Equal(set.Open(), 0); }

  EventSet set;

  std::vector<Event> Collect(int max = 64) {
    std::vector<Event> events(static_cast<size_t>(max));
    const int count = set.Collect(events.data(), max);
    Check(count >= 0, Shown(count));
    events.resize(static_cast<size_t>(count));
    return events;
  }

  void ExpectOne(uint64_t id, uint32_t interest, int line = __builtin_LINE()) {
    const std::vector<Event> events = Collect();
    Equal(events.size(), 1u, "events", __FILE__, line);
    Equal(events[0].id, id, "id", __FILE__, line);
    Equal(events[0].interest, interest, "interest", __FILE__, line);
  }

  void ExpectNothing(int line = __builtin_LINE()) {
    Equal(Collect().size(), 0u, "events", __FILE__, line);
  }
};

void WriteByte(const UniqueFd& fd) { Equal(::write(fd.get(), "x", 1), 1); }

void ReadByte(const UniqueFd& fd) {
  char byte = 0;
  Equal(::read(fd.get(), &byte, 1), 1);
}

const Test kLasting("event set: a descriptor is reported for as long as it is ready", [] {
  Watching watching;
  const RawPair pair = RawPipe();
  Equal(watching.set.Arm(pair.reader.get(), 7, kRead, false), 0);
  watching.ExpectNothing();
  WriteByte(pair.writer);
  watching.ExpectOne(7, kRead);
  watching.ExpectOne(7, kRead);
  ReadByte(pair.reader);
  watching.ExpectNothing();
  WriteByte(pair.writer);
  watching.ExpectOne(7, kRead);
});

const Test kLevel("event set: arming again does not change what is ready", [] {
  Watching watching;
  const RawPair pair = RawPipe();
  WriteByte(pair.writer);
  for (int i = 0; i < 3; i++) {
    Equal(watching.set.Arm(pair.reader.get(), 9, kRead, i > 0), 0);
    watching.ExpectOne(9, kRead);
  }
});

const Test kIds("event set: ids are reported whole and may change", [] {
  Watching watching;
  const RawPair pair = RawPipe();
  WriteByte(pair.writer);
  Equal(watching.set.Arm(pair.reader.get(), 0x123456789abcdef0, kRead, false), 0);
  watching.ExpectOne(0x123456789abcdef0, kRead);
  Equal(watching.set.Arm(pair.reader.get(), 0, kRead, true), 0);
  watching.ExpectOne(0, kRead);
});

const Test kDirections("event set: only what was asked for is reported", [] {
  Watching watching;
  const RawPair pair = RawSocketPair();
  WriteByte(pair.writer);
  Equal(watching.set.Arm(pair.reader.get(), 1, kWrite, false), 0);
  watching.ExpectOne(1, kWrite);
  Equal(watching.set.Arm(pair.reader.get(), 1, kRead, true), 0);
  watching.ExpectOne(1, kRead);
  watching.set.Remove(pair.reader.get());
  Equal(watching.set.Arm(pair.writer.get(), 2, kRead, false), 0);
  watching.ExpectNothing();
  // Re-arming replaces the interest.
  Equal(watching.set.Arm(pair.writer.get(), 2, kWrite, true), 0);
  watching.ExpectOne(2, kWrite);
});

const Test kFull("event set: a full pipe is not writable until something is read", [] {
  Watching watching;
  const RawPair pair = RawPipe();
  const auto writer = MakeEndpoint(UniqueFd(sys::Duplicate(pair.writer.get())));
  Blob bytes(65536);
  iovec iov{bytes.data(), bytes.size()};
  while (writer->sink().Write(&iov, 1) > 0) {
  }
  Equal(watching.set.Arm(pair.writer.get(), 3, kWrite, false), 0);
  watching.ExpectNothing();
  Equal(::read(pair.reader.get(), bytes.data(), bytes.size()), bytes.size());
  watching.ExpectOne(3, kWrite);
});

const Test kHangUp("event set: a closed peer is reported for either interest", [] {
  for (const bool socket : {false, true}) {
    for (const uint32_t interest : {kRead, kWrite}) {
      Watching watching;
      RawPair pair = socket ? RawSocketPair() : RawPipe();
      UniqueFd& watched = interest == kRead ? pair.reader : pair.writer;
      UniqueFd& peer = interest == kRead ? pair.writer : pair.reader;
      Equal(watching.set.Arm(watched.get(), 4, interest, false), 0);
      if (interest == kWrite) (void)watching.Collect();
      Equal(watching.set.Arm(watched.get(), 4, interest, true), 0);
      peer.Reset();
      const std::vector<Event> events = watching.Collect();
      Equal(events.size(), 1u);
      Check((events[0].interest & interest) != 0);
    }
  }
});

const Test kRemove("event set: a removed descriptor is not reported and can be added again", [] {
  Watching watching;
  const RawPair pair = RawPipe();
  WriteByte(pair.writer);
  Equal(watching.set.Arm(pair.reader.get(), 5, kRead, false), 0);
  watching.set.Remove(pair.reader.get());
  watching.ExpectNothing();
  Equal(watching.set.Arm(pair.reader.get(), 6, kRead, false), 0);
  watching.ExpectOne(6, kRead);
  watching.set.Remove(pair.reader.get());
  watching.set.Remove(pair.reader.get());
  watching.set.Remove(-1);
});

const Test kRemovedBeforeClosing(
    "event set: a descriptor with a copy is removed before it is closed", [] {
      Watching watching;
      RawPair pair = RawPipe();
      const UniqueFd copy(sys::Duplicate(pair.reader.get()));
      Equal(watching.set.Arm(pair.reader.get(), 8, kRead, false), 0);
      watching.set.Remove(pair.reader.get());
      pair.reader.Reset();
      WriteByte(pair.writer);
      watching.ExpectNothing();
    });

const Test kMany("event set: more ready descriptors than one call collects", [] {
  Watching watching;
  std::vector<RawPair> pairs;
  for (uint64_t i = 0; i < 150; i++) {
    pairs.push_back(RawPipe());
    WriteByte(pairs.back().writer);
    Equal(watching.set.Arm(pairs.back().reader.get(), i, kRead, false), 0);
  }
  std::set<uint64_t> seen;
  std::vector<Event> events;
  // A reported descriptor moves to the end of the queue, so a few calls report all of them.
  for (int call = 0; call < 30 && seen.size() < 150; call++) {
    events = watching.Collect(seen.size() < 50 ? 10 : 200);
    for (const Event& event : events) seen.insert(event.id);
  }
  Equal(seen.size(), 150u);
});

const Test kErrors("event set: descriptors that cannot be watched", [] {
  Watching watching;
  Equal(watching.set.Arm(-1, 1, kRead, false), -EBADF);
#ifdef __linux__
  char path[] = "/tmp/native-test-XXXXXX";
  const UniqueFd file(::mkstemp(path));
  ::unlink(path);
  Equal(watching.set.Arm(file.get(), 1, kRead, false), -EPERM);
  const RawPair pair = RawPipe();
  Equal(watching.set.Arm(pair.reader.get(), 1, kRead, true), -ENOENT);
  Equal(watching.set.Arm(pair.reader.get(), 1, kRead, false), 0);
  Equal(watching.set.Arm(pair.reader.get(), 1, kRead, false), -EEXIST);
#endif
  EventSet unopened;
  Equal(unopened.Arm(0, 1, kRead, false), -EBADF);
  Event event;
  Equal(unopened.Collect(&event, 1), -EBADF);
});

const Test kCloseOnExec("event set: it is close-on-exec and can itself be polled", [] {
  Watching watching;
  Check(IsCloseOnExec(watching.set.fd()));
  const RawPair pair = RawPipe();
  Equal(watching.set.Arm(pair.reader.get(), 1, kRead, false), 0);
  pollfd wanted{watching.set.fd(), POLLIN, 0};
  Equal(platform::WaitForEvents(&wanted, 1, 0), 0);
  WriteByte(pair.writer);
  Equal(platform::WaitForEvents(&wanted, 1, -1), 1);
  watching.ExpectOne(1, kRead);
  ReadByte(pair.reader);
  Equal(platform::WaitForEvents(&wanted, 1, 0), 0);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
