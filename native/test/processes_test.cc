// SPDX-License-Identifier: MIT
//
// What the system tells of other processes, observed on children of this one.
#include "os/processes.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "pairs.h"
#include "queue/queue_recovery.h"
#include "semaphores.h"

namespace mp::test {
namespace {

#ifdef __linux__

// A child that runs `body` for as long as the object exists.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    for (;;) ::pause();
  }
  ~Child() { KillAndReap(pid_); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// Waits until a condition holds.
template <typename Condition>
void Await(Condition condition, const std::string& what, int line = __builtin_LINE()) {
  bool holds = condition();
  for (int i = 0; !holds && i < 60000; i++) {
    ::usleep(1000);
    holds = condition();
  }
  Check(holds, what, __FILE__, line);
}

char StateOf(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  char text[256] = {};
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  (void)!::read(fd.get(), text, sizeof text - 1);
  const char* end = std::strrchr(text, ')');
  return end == nullptr ? '?' : end[2];
}

// A thread that is blocked inside read() or write() moves no data through other descriptors.
void AwaitBlocked(const Child& child) {
  Await([&] { return !platform::MayBeMovingData(child.pid(), {}); }, "the child is inside a call");
}

void ReadByteFrom(int fd) {
  char byte = 0;
  (void)!::read(fd, &byte, 1);
}

std::string TargetOf(int fd) {
  struct stat info {};
  Equal(::fstat(fd, &info), 0);
  return "pipe:[" + std::to_string(info.st_ino) + "]";
}

const Test kVisited("processes: the descriptors of other processes are visited, not this one's",
                    [] {
                      const RawPair pipe = RawPipe();
                      const int extra = 77;
                      const Child child([&] { ::dup2(pipe.reader.get(), extra); });
                      const std::string expected = TargetOf(pipe.reader.get());
                      std::map<pid_t, std::set<int>> found;
                      const auto complete = [&] {
                        found.clear();
                        const int status = platform::ForEachDescriptor(
                            [&](pid_t pid, int fd, std::string_view target) {
                              if (target == expected) found[pid].insert(fd);
                            });
                        Equal(status, 0);
                        return found[child.pid()].contains(extra);
                      };
                      Await(complete, "the child has duplicated the descriptor");
                      Equal(found.size(), 1u);
                      const std::set<int> numbers = {pipe.reader.get(), pipe.writer.get(), extra};
                      Check(found[child.pid()] == numbers);
                    });

const Test kReads("processes: a process inside read() moves data through that descriptor only", [] {
  const RawPair pipe = RawPipe();
  const int fd = pipe.reader.get();
  const Child child([=] { ReadByteFrom(fd); });
  AwaitBlocked(child);
  Check(platform::MayBeMovingData(child.pid(), {fd}));
  Check(platform::MayBeMovingData(child.pid(), {1000, fd}));
  Check(!platform::MayBeMovingData(child.pid(), {1000, fd + 1}));
});

const Test kWrites("processes: a process inside write() moves data through that descriptor only",
                   [] {
                     const RawPair pipe = RawPipe();
                     const int fd = pipe.writer.get();
                     const Child child([=] {
                       const std::vector<char> bytes(1 << 20);
                       (void)!::write(fd, bytes.data(), bytes.size());
                     });
                     AwaitBlocked(child);
                     Check(platform::MayBeMovingData(child.pid(), {fd}));
                   });

const Test kPolls("processes: a process that polls may be about to move data", [] {
  const RawPair pipe = RawPipe();
  const int fd = pipe.reader.get();
  const Child child([=] {
    pollfd wanted{fd, POLLIN, 0};
    ::poll(&wanted, 1, -1);
  });
  Await([&] { return StateOf(child.pid()) == 'S'; }, "the child polls");
  Check(platform::MayBeMovingData(child.pid(), {fd}));
});

const Test kRuns("processes: a process that runs may be about to move data", [] {
  const RawPair pipe = RawPipe();
  const Child child([] {
    for (volatile bool on = true; on;) {
    }
  });
  Check(platform::MayBeMovingData(child.pid(), {pipe.reader.get()}));
});

const Test kWaits("processes: a process that waits for a semaphore moves no data", [] {
  const RawPair pipe = RawPipe();
  const auto semaphore = MakeSemaphore(0);
  const Child child([&] {
    for (;;) semaphore->Wait(std::chrono::seconds(100));
  });
  const std::vector<int> fds = {pipe.reader.get(), pipe.writer.get()};
  Await([&] { return !platform::MayBeMovingData(child.pid(), fds); }, "the child waits");
});

const Test kEnded("processes: a process that has ended moves no data", [] {
  const RawPair pipe = RawPipe();
  pid_t pid = -1;
  {
    const Child child([] {});
    pid = child.pid();
  }
  Check(!platform::MayBeMovingData(pid, {pipe.reader.get()}));
});

const Test kNonMember("queue recovery: a process that is no member may be moving data", [] {
  const RawPair pipe = RawPipe();
  const int fd = pipe.reader.get();
  Check(!MayBeMovedByNonMember(fd), "no other process has the pipe");
  const Child reading([=] { ReadByteFrom(fd); });
  AwaitBlocked(reading);
  Check(MayBeMovedByNonMember(fd));
  Check(MayBeMovedByNonMember(pipe.writer.get()), "both ends are one pipe");
});

const Test kIdle("queue recovery: a process that only has the pipe open is no obstacle", [] {
  const RawPair pipe = RawPipe();
  const Child idle([] {});
  Await([&] { return !MayBeMovedByNonMember(pipe.reader.get()); }, "the child pauses");
});

const Test kMember("queue recovery: a member of a family keeps records, so it does not count", [] {
  const RawPair pipe = RawPipe();
  char folder[] = "/dev/shm/mp-test-XXXXXX";
  Check(::mkdtemp(folder) != nullptr, "mkdtemp");
  const std::string path = std::string(folder) + "/family";
  UniqueFd registered(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ::unlink(path.c_str());
  Check(static_cast<bool>(registered));
  const int fd = pipe.reader.get();
  const Child member([=] { ReadByteFrom(fd); });
  AwaitBlocked(member);
  Check(!MayBeMovedByNonMember(fd));
  registered.Reset();
  const Child other([=] { ReadByteFrom(fd); });
  AwaitBlocked(other);
  Check(MayBeMovedByNonMember(fd));
  ::rmdir(folder);
});

// Regression: the identity had no start time then, so other processes took the living one for dead
// and its locks for free.
const Test kExhausted("processes: one that had no descriptor when it identified itself is alive",
                      [] {
                        void* const shared =
                            ::mmap(nullptr, sizeof(platform::ProcessIdentity),
                                   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                        Check(shared != MAP_FAILED, "mmap");
                        auto* const identity = static_cast<platform::ProcessIdentity*>(shared);
                        const pid_t child = StartChild([=] {
                          rlimit limit{};
                          ::getrlimit(RLIMIT_NOFILE, &limit);
                          const rlimit none{0, limit.rlim_max};
                          ::setrlimit(RLIMIT_NOFILE, &none);
                          *identity = platform::ThisProcess();
                          ::setrlimit(RLIMIT_NOFILE, &limit);
                        });
                        Equal(identity->pid, child);
                        Check(!platform::IsDead(*identity), "it is not taken for dead");
                        KillAndReap(child);
                        ::munmap(shared, sizeof *identity);
                      });

#else

const Test kUnknown("processes: where the system tells nothing, data may be moving", [] {
  const RawPair pipe = RawPipe();
  Equal(platform::ForEachDescriptor([](pid_t, int, std::string_view) {}), -ENOSYS);
  Check(platform::MayBeMovingData(::getpid(), {}));
  Check(MayBeMovedByNonMember(pipe.reader.get()));
});

#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
