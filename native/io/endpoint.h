// SPDX-License-Identifier: MIT
//
// An endpoint is one descriptor together with the framing state of both its directions. It is
// shared by std::shared_ptr: every Connection, environment and running call that uses it holds a
// reference, and the descriptor is closed when the last one goes, never under a running call.
//
// The descriptor may be open in other processes too, so it is never made non-blocking. Attempts
// that do not wait use, for sockets, MSG_DONTWAIT, and for pipes the first rung that works:
//   kNoWait  preadv2/pwritev2 with RWF_NOWAIT (Linux 6.4 and later),
//   kReopen  a private non-blocking description of the same pipe, from /proc/self/fd,
//   kPoll    poll() says ready, then a call small enough not to wait. Another process that uses
//            the same end at the same time could make it wait, which is why this comes last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "io/byte_stream.h"
#include "io/frame_reader.h"
#include "io/frame_writer.h"
#include "os/describe.h"
#include "os/unique_fd.h"
#include "util/spinner.h"

namespace mp {

enum class Rung : uint8_t { kNoWait, kReopen, kPoll };

class Endpoint final : private ByteSource, private ByteSink {
 public:
  struct Options {
    uint64_t max_message_bytes = 0;
    bool read_ahead = false;
    Rung first_rung = Rung::kNoWait;
  };

  // Takes over a descriptor that Describe() found to be a stream. Makes it close-on-exec.
  Endpoint(UniqueFd fd, const sys::Description& what, const Options& options);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  int fd() const noexcept { return fd_.get(); }
  bool is_socket() const noexcept { return socket_; }
  Rung rung(bool writing) const noexcept { return writing ? write_rung_ : read_rung_; }

  ByteSource& source() noexcept { return *this; }
  ByteSink& sink() noexcept { return *this; }
  FrameReader& reader() noexcept { return reader_; }
  FrameWriter& writer() noexcept { return writer_; }

  // While one exists, reads and writes wait in the kernel for what they are asked to move, which
  // spares a call to poll. Nothing can end such a wait: only for a thread that nobody would.
  class Waiting {
   public:
    Waiting(Endpoint& endpoint, bool on) noexcept : endpoint_(endpoint) { endpoint_.waits_ = on; }
    ~Waiting() { endpoint_.waits_ = false; }
    bool on() const noexcept { return endpoint_.waits_; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Endpoint& endpoint_;
  };

  // For the end of the process: from now on the descriptor leads nowhere, so that the kernel no
  // longer counts this process at this end. Its number stays taken.
  void CutOff() noexcept;

  // Whether any endpoint of this process owns this descriptor number. Any thread.
  static bool Owns(int fd);

  // Of Sync receives.
  SpinHistory spin_history;

  // Whether Sync receives usually find nothing at first. Once in a while the other way is tried,
  // since a wait that comes first does not show whether it was needed.
  class Habit {
   public:
    bool ExpectsToWait() noexcept { return waits_ && ++calls_ % 16 != 0; }
    void Learn(bool waited) noexcept { waits_ = waited; }

   private:
    bool waits_ = false;
    uint8_t calls_ = 0;
  };
  Habit receive_habit;

 private:
  ssize_t Read(const iovec* iov, int count, UniqueFd* descriptor) override;
  ssize_t Write(const iovec* iov, int count) override;
  ssize_t WriteDescriptor(uint8_t byte, int descriptor) override;

  ssize_t ReadSocket(const iovec* iov, int count, UniqueFd* descriptor);
  ssize_t ReadPipe(const iovec* iov, int count);
  ssize_t WritePipe(const iovec* iov, int count);
  int Reopened(UniqueFd* reopened, bool writable);

  UniqueFd fd_;
  UniqueFd reopened_reader_;
  UniqueFd reopened_writer_;
  FrameReader reader_;
  FrameWriter writer_;
  Rung read_rung_;
  Rung write_rung_;
  bool waits_ = false;
  bool socket_;
};

}  // namespace mp
