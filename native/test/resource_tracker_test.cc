// SPDX-License-Identifier: MIT
//
// What the reader of Python's resource trackers does about processes that end with a lock.
#include "semaphores/resource_tracker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "check.h"
#include "os/sys.h"
#include "semaphores.h"

namespace mp::test {
namespace {

// While it exists, this process can open no descriptor. (It can wait for those that it has.)
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd lowest(::dup(STDOUT_FILENO));
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

// A process that holds a lock, and the pipe by which the tracker is told of it.
struct Scene {
  static constexpr uint32_t kNumber = 1;
  static constexpr auto kRole = TrackedSemaphore::Role::kHolder;

  Scene() {
    holder = StartChild([this] {
      // It must not end before the process, or its record would be an orphan's.
      auto* const own = new TrackedSemaphore(semaphore);
      if (own->Track(table, kNumber, kRole) < 0 || own->TryAcquire() < 0) ::_exit(1);
    });
    Equal(resource_tracker::AddChild({{semaphore, table, kNumber, kRole}}, &pipe), 0);
    Equal(semaphore->Value(), 0);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() { resource_tracker::Stop(); }

  void Tell(const std::string& line) const {
    const std::string text = line + '\n';
    Equal(::write(pipe.get(), text.data(), text.size()), text.size());
    while (sys::BytesReadable(pipe.get()) > 0) ::usleep(1000);
  }
  void TellOfHolder() const {
    Tell("MEMBER:" + std::to_string(holder) + ":pid");
    // A line is read when the lines before it have had their effects.
    Tell("UNREGISTER:/nothing:semaphore");
  }
  void AwaitRelease() const {
    for (int i = 0; semaphore->Value() == 0 && i < 60000; i++) ::usleep(1000);
    Equal(semaphore->Value(), 1, "the lock is released");
  }

  std::shared_ptr<NamedSemaphore> semaphore = MakeSemaphore(1);
  std::shared_ptr<HolderTable> table = MakeTable();
  pid_t holder = -1;
  UniqueFd pipe;
};

const Test kReleased("tracker: the lock of a process that ends is released", [] {
  const Scene scene;
  scene.TellOfHolder();
  KillAndReap(scene.holder);
  scene.AwaitRelease();
});

#ifndef __SANITIZE_ADDRESS__  // UndefinedBehaviorSanitizer makes a pipe for each look at a virtual
                              // table.
// Regression: nothing watched such a process, so Python members waited for its lock for ever.
const Test kUnwatched("tracker: a process that there was no descriptor for is watched later", [] {
  const Scene scene;
  {
    const NoDescriptors none;
    scene.TellOfHolder();
  }
  KillAndReap(scene.holder);
  scene.AwaitRelease();
});

// Regression: the process counted as living, and was not looked at again.
const Test kNotAsked("tracker: one that had ended before it told of itself is looked for again",
                     [] {
                       const Scene scene;
                       {
                         const NoDescriptors none;
                         KillAndReap(scene.holder);
                         scene.TellOfHolder();
                       }
                       scene.AwaitRelease();
                     });
#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
