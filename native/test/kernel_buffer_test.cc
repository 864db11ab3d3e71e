// SPDX-License-Identifier: MIT
#include "io/kernel_buffer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "check.h"
#include "os/platform.h"
#include "pairs.h"

namespace mp::test {
namespace {

RawPair MakeEnds(bool socket) { return socket ? RawSocketPair() : RawPipe(); }

// How many bytes can be written without a reader.
size_t Room(const RawPair& ends, bool socket) {
  static std::vector<uint8_t> bytes(8 * 1024 * 1024);
  const iovec all{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(&all);
  message.msg_iovlen = 1;
  const ssize_t written = socket ? platform::SendMessage(ends.writer.get(), &message, false)
                                 : platform::WriteNoWait(ends.writer.get(), &all, 1);
  const size_t room = written < 0 ? 0 : static_cast<size_t>(written);
  for (size_t left = room; left > 0;) {
    const ssize_t n = ::read(ends.reader.get(), bytes.data(), left);
    Check(n > 0);
    left -= static_cast<size_t>(n);
  }
  return room;
}

const Test kGrows("kernel buffer: grows, and shrinks to what it was", [] {
  for (const bool socket : {false, true}) {
    const RawPair ends = MakeEnds(socket);
    const size_t before = Room(ends, socket);
    KernelBuffer buffer;
    Equal(buffer.Grow(ends.writer.get(), socket), 1);
    Equal(buffer.Grow(ends.writer.get(), socket), 1);
    const int64_t gained = KernelBuffer::InAll();
    Check(gained > 0);
    Check(Room(ends, socket) > before);
    Equal(buffer.Shrink(ends.writer.get(), socket), 0);
    Equal(buffer.Shrink(ends.writer.get(), socket), 0);
    Equal(Room(ends, socket), before);
    Equal(KernelBuffer::InAll(), 0);
  }
});

const Test kFull("kernel buffer: a pipe that holds more than it would have room for stays as it is",
                 [] {
                   const RawPair ends = MakeEnds(false);
                   KernelBuffer buffer;
                   Equal(buffer.Grow(ends.writer.get(), false), 1);
                   std::vector<uint8_t> bytes(256 * 1024);
                   const iovec part{bytes.data(), bytes.size()};
                   Equal(platform::WriteNoWait(ends.writer.get(), &part, 1),
                         static_cast<ssize_t>(bytes.size()));
                   Equal(buffer.Shrink(ends.writer.get(), false), -EBUSY);
                   Check(KernelBuffer::InAll() > 0);
                   for (size_t left = bytes.size(); left > 0;) {
                     left -= static_cast<size_t>(::read(ends.reader.get(), bytes.data(), left));
                   }
                   Equal(buffer.Shrink(ends.writer.get(), false), 0);
                 });

const Test kShare("kernel buffer: all together keep to the share of the process", [] {
  std::vector<RawPair> ends;
  std::vector<std::unique_ptr<KernelBuffer>> buffers;
  for (int i = 0; i < 40; i++) {
    ends.push_back(MakeEnds(false));
    buffers.push_back(std::make_unique<KernelBuffer>());
    Check(buffers.back()->Grow(ends.back().writer.get(), false) >= 0);
    Check(KernelBuffer::InAll() <= KernelBuffer::kMostInAll);
  }
  Equal(buffers.back()->Grow(ends.back().writer.get(), false), 0);
  // One that is gone leaves its share to others.
  buffers.front().reset();
  Equal(buffers.back()->Grow(ends.back().writer.get(), false), 1);
  buffers.clear();
  Equal(KernelBuffer::InAll(), 0);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
