// SPDX-License-Identifier: MIT
#include "os/sys.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <utility>

#include "check.h"
#include "os/descriptor_kind.h"
#include "os/platform.h"
#include "os/unique_fd.h"
#include "pairs.h"
#include "scripted.h"

namespace mp::test {
namespace {

using sys::Kind;

const Test kOwnership("unique_fd: one owner closes the descriptor once", [] {
  UniqueFd empty;
  Check(!empty);
  Equal(empty.get(), -1);
  UniqueFd first = AnyDescriptor();
  const int number = first.get();
  Check(static_cast<bool>(first));
  UniqueFd second(std::move(first));
  Equal(first.get(), -1);
  Equal(second.get(), number);
  Check(IsOpen(number));
  second.Reset();
  Check(!IsOpen(number));
  second.Reset();
});

const Test kAssignment("unique_fd: assignment closes what was owned before", [] {
  UniqueFd first = AnyDescriptor();
  UniqueFd second = AnyDescriptor();
  const int lost = first.get();
  const int kept = second.get();
  first = std::move(second);
  Check(!IsOpen(lost));
  Equal(first.get(), kept);
  UniqueFd& same = first;
  first = std::move(same);
  Equal(first.get(), kept);
  Check(IsOpen(kept));
});

const Test kRelease("unique_fd: a released descriptor is not closed", [] {
  int number = -1;
  {
    UniqueFd owner = AnyDescriptor();
    number = owner.Release();
    Check(!owner);
  }
  Check(IsOpen(number));
  const UniqueFd again(number);
});

const Test kInterrupted("sys: a call is repeated while it is interrupted", [] {
  int calls = 0;
  const int result = sys::RetryOnInterrupt([&] {
    errno = EINTR;
    return ++calls < 4 ? -1 : 7;
  });
  Equal(result, 7);
  Equal(calls, 4);
  const long failure = sys::RetryOnInterrupt([]() -> long {
    errno = ENOSPC;
    return -1;
  });
  Equal(failure, -ENOSPC);
});

const Test kDuplicate(
    "sys: a duplicate is close-on-exec and never has the number of a standard stream", [] {
      const UniqueFd standard_input(sys::Duplicate(0));
      const UniqueFd any = AnyDescriptor();
      if (standard_input) ::close(0);
      const UniqueFd copy(sys::Duplicate(any.get()));
      if (standard_input) ::dup2(standard_input.get(), 0);
      Check(copy.get() > 2, Shown(copy.get()));
      Check(IsCloseOnExec(copy.get()));
      Equal(sys::Duplicate(-1), -EBADF);
    });

const Test kSetCloseOnExec("sys: close-on-exec is set where it is missing", [] {
  const UniqueFd any = AnyDescriptor();
  ::fcntl(any.get(), F_SETFD, 0);
  for (int i = 0; i < 2; i++) {
    Equal(sys::SetCloseOnExec(any.get()), 0);
    Check(IsCloseOnExec(any.get()));
  }
  Equal(sys::SetCloseOnExec(-1), -EBADF);
});

struct Expected {
  Kind kind;
  bool readable;
  bool writable;
  bool stream;
};

void ExpectDescription(int fd, const Expected& expected, const char* what) {
  sys::Description found;
  Equal(sys::Describe(fd, &found), 0, what);
  Equal(found.kind, expected.kind, what);
  Equal(found.readable, expected.readable, what);
  Equal(found.writable, expected.writable, what);
  Equal(found.stream, expected.stream, what);
}

const Test kPipes("sys: Describe() of pipes and files", [] {
  for (const bool fifo : {false, true}) {
    const RawPair pair = fifo ? RawFifo() : RawPipe();
    ExpectDescription(pair.reader.get(), {Kind::kPipe, true, false, true}, "reader");
    ExpectDescription(pair.writer.get(), {Kind::kPipe, false, true, true}, "writer");
  }
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ExpectDescription(file.get(), {Kind::kOther, true, true, false}, "device");
  const UniqueFd folder(::open("/", O_RDONLY | O_CLOEXEC));
  ExpectDescription(folder.get(), {Kind::kOther, true, false, false}, "folder");
});

const Test kSockets("sys: Describe() of sockets", [] {
  const RawPair pair = RawSocketPair();
  ExpectDescription(pair.reader.get(), {Kind::kSocket, true, true, true}, "stream");
  int fds[2];
  Equal(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
  const UniqueFd ends[2] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  ExpectDescription(fds[0], {Kind::kSocket, true, true, false}, "datagrams");
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM, 0));
  Equal(::listen(listener.get(), 1), 0);
  ExpectDescription(listener.get(), {Kind::kSocket, true, true, false}, "listening");
});

const Test kNotOpen("sys: Describe() of a number that is not open", [] {
  sys::Description found;
  Equal(sys::Describe(-1, &found), -EBADF);
  int number = -1;
  {
    const UniqueFd any = AnyDescriptor();
    number = any.get();
  }
  Equal(sys::Describe(number, &found), -EBADF);
});

const Test kFromBirth(
    "platform: pairs are close-on-exec and blocking, and never have a standard stream's number",
    [] {
      for (const bool with_input : {true, false}) {
        const UniqueFd standard_input(sys::Duplicate(0));
        if (!with_input) ::close(0);
        RawPair pairs[2];
        int fds[2] = {-1, -1};
        const int pipe_status = platform::MakePipe(fds);
        if (pipe_status == 0) pairs[0] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
        const int sockets_status = platform::MakeSocketPair(fds);
        if (sockets_status == 0) pairs[1] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
        if (!with_input && standard_input) ::dup2(standard_input.get(), 0);
        Equal(pipe_status, 0);
        Equal(sockets_status, 0);
        for (const RawPair& pair : pairs) {
          for (const int fd : {pair.reader.get(), pair.writer.get()}) {
            Check(fd > 2, Shown(fd));
            Check(IsCloseOnExec(fd));
            Check(!IsNonBlocking(fd));
          }
        }
      }
    });

const Test kTimeout("platform: a wait ends at its timeout, not before", [] {
  const RawPair pair = RawPipe();
  pollfd wanted{pair.reader.get(), POLLIN, 0};
  Equal(platform::WaitForEvents(&wanted, 1, 0), 0);
  const auto start = std::chrono::steady_clock::now();
  Equal(platform::WaitForEvents(&wanted, 1, 3000000), 0);
  Check(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(3));
  Equal(::write(pair.writer.get(), "x", 1), 1);
  Equal(platform::WaitForEvents(&wanted, 1, -1), 1);
  Check((wanted.revents & POLLIN) != 0);
});

std::atomic<int> handled{0};
void OnSignal(int) { handled++; }

// Sends a signal to this thread again and again while `wait` runs, then writes to the pipe.
template <typename Wait>
int WaitAmongSignals(int signal, const RawPair& pair, bool write, Wait wait) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = OnSignal;
  ::sigaction(signal, &action, &before);
  std::atomic<bool> done{false};
  const pthread_t waiting = ::pthread_self();
  std::thread sender([&] {
    for (int i = 0; !done && (i < 200 || !write); i++) {
      ::pthread_kill(waiting, signal);
      std::this_thread::yield();
    }
    if (write) (void)!::write(pair.writer.get(), "x", 1);
  });
  const int result = wait();
  done = true;
  sender.join();
  ::sigaction(signal, &before, nullptr);
  return result;
}

const Test kRoutineSignals("platform: routine signals do not end a wait and are not lost", [] {
  for (const int signal : {SIGCHLD, SIGWINCH, SIGPROF}) {
    const RawPair pair = RawPipe();
    pollfd wanted{pair.reader.get(), POLLIN, 0};
    handled = 0;
    const int result = WaitAmongSignals(signal, pair, true,
                                        [&] { return platform::WaitForEvents(&wanted, 1, -1); });
    Equal(result, 1);
    Check(handled > 0);
  }
});

const Test kOtherSignals("platform: another signal ends a wait", [] {
  const RawPair pair = RawPipe();
  pollfd wanted{pair.reader.get(), POLLIN, 0};
  handled = 0;
  const int result = WaitAmongSignals(SIGUSR1, pair, false,
                                      [&] { return platform::WaitForEvents(&wanted, 1, -1); });
  Equal(result, -EINTR);
  Check(handled > 0);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
