// SPDX-License-Identifier: MIT
#include "io/endpoint.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "os/platform.h"
#include "os/sys.h"

namespace mp {

namespace {

// The descriptor numbers that endpoints of all environments of this process own. Leaked on purpose:
// worker threads may still run when static destructors do.
struct OwnedDescriptors {
  std::mutex mutex;
  std::set<int> numbers;
};

OwnedDescriptors& Owned() {
  static auto& owned = *new OwnedDescriptors;
  return owned;
}

bool IsUnsupported(ssize_t status) noexcept {
  return status == -EOPNOTSUPP || status == -EINVAL || sys::IsRefused(status);
}

// The kernel's limit of descriptors in one message. With room for all of them none is dropped
// silently, and every one that arrived can be closed.
constexpr size_t kMaxDescriptors = 253;

// Up to this size the parts of a message are copied together and sent as one. The kernel takes less
// time for one part than for several: a twentieth of a round trip of 64 bytes.
constexpr size_t kGatheredBytes = 512;

// A message that does not fit a pipe takes several writes anyway, so one more costs little.
constexpr size_t kHeaderAloneFrom = 64 * 1024;

// How many reads there are for each look at the mark of the last copy.
constexpr uint8_t kReadsPerLook = 8;

// A pipe that polls writable has room for PIPE_BUF bytes. So pieces of at most that size are
// written, for as long as it polls writable. A small message stays one write, which the kernel
// keeps in one piece.
ssize_t WriteWhileReady(int fd, const iovec* iov, int count) noexcept {
  ssize_t written = 0;
  int part = 0;
  size_t offset = 0;
  for (;;) {
    iovec piece[8];
    int parts = 0;
    size_t size = 0;
    while (part < count && parts < 8 && size < PIPE_BUF) {
      const size_t taken = std::min<size_t>(iov[part].iov_len - offset, PIPE_BUF - size);
      piece[parts++] = {static_cast<uint8_t*>(iov[part].iov_base) + offset, taken};
      size += taken;
      offset += taken;
      if (offset < iov[part].iov_len) break;
      part++;
      offset = 0;
    }
    if (parts == 0) return written;
    const ssize_t n =
        sys::IsReady(fd, POLLOUT) ? platform::WriteWithoutSignal(fd, piece, parts) : -EAGAIN;
    if (n < 0) return written > 0 ? written : n;
    written += n;
    if (static_cast<size_t>(n) < size) return written;
  }
}

}  // namespace

Endpoint::Endpoint(UniqueFd fd, const sys::Description& what, const Options& options)
    : fd_(std::move(fd)),
      reader_(options.max_message_bytes),
      outbox_(what.kind == sys::Kind::kSocket ? SIZE_MAX : kHeaderAloneFrom),
      read_method_(options.first_method),
      write_method_(options.first_method),
      socket_(what.kind == sys::Kind::kSocket) {
  sys::SetCloseOnExec(fd_.get());
  reader_.set_read_ahead(options.read_ahead);
  const std::lock_guard lock(Owned().mutex);
  Owned().numbers.insert(fd_.get());
}

Endpoint::~Endpoint() {
  // Removed before the descriptor is closed: afterwards the number may belong to a new endpoint.
  const std::lock_guard lock(Owned().mutex);
  Owned().numbers.erase(fd_.get());
}

void Endpoint::CutOff() noexcept {
  const int nowhere = static_cast<int>(
      sys::RetryOnInterrupt([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }));
  if (nowhere < 0) return;
  for (const UniqueFd* fd : {&fd_, &reopened_reader_, &reopened_writer_}) {
    if (*fd) sys::Replace(fd->get(), nowhere);
  }
  sys::Close(nowhere);
}

bool Endpoint::Owns(int fd) {
  const std::lock_guard lock(Owned().mutex);
  return Owned().numbers.contains(fd);
}

bool Endpoint::StopReadingAhead() noexcept {
  const bool alone =
      reader_.read_ahead() || (awaits_last_copy_ && sys::IsMarkedLastCopy(fd_.get()));
  reader_.set_read_ahead(false);
  awaits_last_copy_ = false;
  if (alone) sys::MarkLastCopy(fd_.get(), false);
  return alone;
}

// A look costs a sixth of a read.
void Endpoint::LookForLastCopy() noexcept {
  if (reads_++ % kReadsPerLook != 0 || !sys::IsMarkedLastCopy(fd_.get())) return;
  awaits_last_copy_ = false;
  reader_.set_read_ahead(true);
}

ssize_t Endpoint::Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) {
  if (awaits_last_copy_) LookForLastCopy();
  return socket_ ? ReadSocket(iov, count, descriptor) : ReadPipe(iov, count);
}

ssize_t Endpoint::ReadSocket(const iovec* iov, int count, ArrivedDescriptor* descriptor) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(iov);
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = platform::ReceiveMessage(fd_.get(), &message, read_blocks_);
  if (n < 0) return n;
  // There was room for all that one message can carry. So if anything was cut off, this process has
  // no more numbers for descriptors.
  const bool lost = (message.msg_flags & MSG_CTRUNC) != 0;
  if (message.msg_controllen == 0 && !lost) return n;
  size_t received = 0;
  if (lost && !*descriptor) {
    received++;
    *descriptor = ArrivedDescriptor::Lost();
  } else if (lost) {
    received = kMaxDescriptors;
  }
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; i++) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(c) + i * sizeof(int), sizeof number);
      UniqueFd arrived(number);
      if (received++ == 0 && !*descriptor)
        *descriptor = ArrivedDescriptor(std::move(arrived));
      else
        received = kMaxDescriptors;
    }
  }
  return received > 1 ? -EBADMSG : n;
}

ssize_t Endpoint::ReadPipe(const iovec* iov, int count) {
  if (read_blocks_) return sys::Readv(fd_.get(), iov, count);
  if (read_method_ == IoMethod::kNoWait) {
    const ssize_t n = platform::ReadNoWait(fd_.get(), iov, count);
    if (!IsUnsupported(n)) return n;
    read_method_ = IoMethod::kReopen;
  }
  if (read_method_ == IoMethod::kReopen) {
    const int fd = Reopened(&reopened_reader_, false);
    if (fd >= 0) return sys::Readv(fd, iov, count);
    read_method_ = IoMethod::kPoll;
  }
  // One read() returns what is there, and waits only when nothing is.
  return sys::IsReady(fd_.get(), POLLIN) ? sys::Readv(fd_.get(), iov, count) : -EAGAIN;
}

ssize_t Endpoint::Write(const iovec* iov, int count) {
  if (!socket_) return WritePipe(iov, count);
  uint8_t gathered[kGatheredBytes];
  size_t size = 0;
  for (int i = 0; i < count && size <= kGatheredBytes; i++) {
    const size_t length = iov[i].iov_len;
    if (length > 0 && length <= kGatheredBytes - size) {
      std::memcpy(gathered + size, iov[i].iov_base, length);
    }
    size += length;
  }
  if (size <= kGatheredBytes) return platform::Send(fd_.get(), gathered, size, write_blocks_);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(iov);
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  return platform::SendMessage(fd_.get(), &message, write_blocks_);
}

ssize_t Endpoint::WritePipe(const iovec* iov, int count) {
  if (write_blocks_) return platform::WriteWithoutSignal(fd_.get(), iov, count);
  if (write_method_ == IoMethod::kNoWait) {
    const ssize_t n = platform::WriteNoWait(fd_.get(), iov, count);
    if (!IsUnsupported(n)) return n;
    write_method_ = IoMethod::kReopen;
  }
  if (write_method_ == IoMethod::kReopen) {
    const int fd = Reopened(&reopened_writer_, true);
    if (fd >= 0) return platform::WriteWithoutSignal(fd, iov, count);
    write_method_ = IoMethod::kPoll;
  }
  return WriteWhileReady(fd_.get(), iov, count);
}

ssize_t Endpoint::WriteDescriptor(uint8_t byte, int descriptor) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec iov{&byte, 1};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return platform::SendMessage(fd_.get(), &message, false);
}

int Endpoint::Reopened(UniqueFd* reopened, bool writable) {
  const std::lock_guard lock(Owned().mutex);
  if (!*reopened) {
    const int fd = platform::ReopenNonBlocking(fd_.get(), writable);
    if (fd < 0) return fd;
    reopened->Reset(fd);
  }
  return reopened->get();
}

}  // namespace mp
