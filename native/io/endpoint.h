// SPDX-License-Identifier: MIT
//
// An endpoint is one descriptor together with the framing state of both its directions. It is
// shared by std::shared_ptr: every Connection, environment and running call that uses it holds a
// reference. The descriptor is closed when the last one goes, never under a running call.
//
// The descriptor may be open in other processes too, so it is never made non-blocking. Attempts
// that do not wait use MSG_DONTWAIT for sockets, and for pipes the first I/O method that works:
//   kNoWait  preadv2/pwritev2 with RWF_NOWAIT (Linux 6.4 and later),
//   kReopen  a private non-blocking description of the same pipe, from /proc/self/fd,
//   kPoll    poll() says ready, then a call small enough not to wait. Another process that uses
//            the same end at the same time could make it wait, so this method comes last.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "io/byte_stream.h"
#include "io/frame_reader.h"
#include "io/kernel_buffer.h"
#include "io/outbox.h"
#include "os/descriptor_kind.h"
#include "os/unique_fd.h"
#include "util/spinner.h"

namespace mp {

enum class IoMethod : uint8_t { kNoWait, kReopen, kPoll };

class Endpoint final : public std::enable_shared_from_this<Endpoint>,
                       private ByteSource,
                       private ByteSink {
 public:
  struct Options {
    uint64_t max_message_bytes = 0;
    bool read_ahead = false;
    IoMethod first_method = IoMethod::kNoWait;
  };

  // Owns the descriptor, which Describe() found to be a stream. Makes it close-on-exec.
  Endpoint(UniqueFd fd, const sys::Description& what, const Options& options);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  int fd() const noexcept { return fd_.get(); }

  // For a descriptor that another process passed on and may still have: reading ahead begins once
  // that process has closed its copy, which it says by sys::MarkLastCopy.
  void ReadAheadOnceAlone() noexcept { awaits_last_copy_ = true; }

  // No read goes beyond the current message from now on. Returns whether reads did until now: then
  // this process has the only copy, and the next process can be told so in its turn.
  bool StopReadingAhead() noexcept;

  bool is_socket() const noexcept { return socket_; }
  IoMethod method(bool writing) const noexcept {
    return writing ? write_method_.load() : read_method_;
  }

  ByteSource& source() noexcept { return *this; }
  ByteSink& sink() noexcept { return *this; }
  FrameReader& reader() noexcept { return reader_; }
  Outbox& outbox() noexcept { return outbox_; }

  // While a scope that is on exists, reads or writes wait in the kernel for what they are asked to
  // move, which spares a call to poll. Nothing can end such a wait. So it is only for a call that
  // nothing has to end: without a deadline, a signal listener or a worker that may be terminated.
  // Nor may it write where another thread writes too (Outbox::Accept).
  class BlockingScope {
   public:
    enum Direction : uint8_t { kReading, kWriting };
    BlockingScope(Endpoint& endpoint, Direction direction, bool on) noexcept
        : blocks_(direction == kReading ? endpoint.read_blocks_ : endpoint.write_blocks_), on_(on) {
      if (on) blocks_ = true;
    }
    ~BlockingScope() {
      if (on_) blocks_ = false;
    }
    bool on() const noexcept { return on_; }
    BlockingScope(const BlockingScope&) = delete;
    BlockingScope& operator=(const BlockingScope&) = delete;

   private:
    bool& blocks_;
    bool on_;
  };

  // For the end of the process: makes the descriptor refer to /dev/null, so that the kernel no
  // longer counts this process at this end. Its number stays in use.
  void CutOff() noexcept;

  // Whether any endpoint of this process owns this descriptor number. Any thread.
  static bool Owns(int fd);

  // For what is sent here: see KernelBuffer.
  int GrowBuffer() noexcept { return buffer_.Grow(fd_.get(), socket_); }
  int ShrinkBuffer() noexcept { return buffer_.Shrink(fd_.get(), socket_); }

  // For Sync receives.
  SpinHistory spin_history;

  // Whether Sync receives usually find nothing at first. A wait that comes first does not show
  // whether it was needed, so one call in 16 tries before it waits.
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
  ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) override;
  ssize_t Write(const iovec* iov, int count) override;
  ssize_t WriteDescriptor(uint8_t byte, int descriptor) override;

  ssize_t ReadSocket(const iovec* iov, int count, ArrivedDescriptor* descriptor);
  ssize_t ReadPipe(const iovec* iov, int count);
  ssize_t WritePipe(const iovec* iov, int count);
  // Any thread: what writes to a queue's state pipe has no lock.
  int Reopened(UniqueFd* reopened, bool writable);
  void LookForLastCopy() noexcept;

  UniqueFd fd_;
  UniqueFd reopened_reader_;
  UniqueFd reopened_writer_;
  FrameReader reader_;
  Outbox outbox_;
  KernelBuffer buffer_;
  IoMethod read_method_;
  std::atomic<IoMethod> write_method_;
  bool awaits_last_copy_ = false;
  uint8_t reads_ = 0;
  bool read_blocks_ = false;
  bool write_blocks_ = false;
  bool socket_;
};

}  // namespace mp
