// SPDX-License-Identifier: MIT
//
// What the system tells of other processes, observed on children of this one.
#include "os/processes.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "check.h"
#include "pairs.h"
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

// Regression: it counted as dead, although a killed thread completes the system call that it is in.
const Test kFirstThread("processes: one whose first thread has ended is alive", [] {
  const RawPair pipe = RawPipe();
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([&] {
      const platform::ProcessIdentity self = platform::ThisProcess();
      (void)!::write(pipe.writer.get(), &self, sizeof self);
      ::pause();
    }).detach();
    ::syscall(SYS_exit, 0);
  }
  platform::ProcessIdentity identity;
  Equal(::read(pipe.reader.get(), &identity, sizeof identity), ssize_t{sizeof identity});
  const auto is_zombie = [=] {
    std::ifstream file("/proc/" + std::to_string(child) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find(") Z ") != std::string::npos;
  };
  Await(is_zombie, "its first thread has ended");
  Check(!platform::IsDead(identity), "it is alive");
  ::kill(child, SIGKILL);
  siginfo_t info{};
  Equal(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  Check(platform::IsDead(identity), "it is dead, and not reaped");
  KillAndReap(child);
});

#else

const Test kUnknown("processes: where the system does not list descriptors, it says so", [] {
  Equal(platform::ForEachDescriptor([](pid_t, int, std::string_view) {}), -ENOSYS);
});

#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
