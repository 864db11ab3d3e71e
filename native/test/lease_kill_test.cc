// SPDX-License-Identifier: MIT
//
// Members that are killed between two instructions, at points all over each operation. The kernel
// runs the member one instruction at a time.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "leases.h"
#include "leases/lease_members.h"

namespace mp::test {
namespace {

// Runs `body` in a process, one instruction after the other, as long as `goes_on(count)` says so,
// and kills it then. Returns how many were run, also if the body has ended. `prepare` runs first,
// at full speed.
template <typename GoesOn, typename Prepare, typename Body>
uint64_t RunWhile(GoesOn goes_on, Prepare prepare, Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    prepare();
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = 0;
  Equal(::waitpid(pid, &status, 0), pid);
  Check(WIFSTOPPED(status), "the member stops before it begins");
  uint64_t count = 0;
  while (goes_on(count)) {
    if (::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) < 0) break;
    ::waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) {
      Check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the member ends by itself");
      return count;
    }
    count++;
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return count;
}

// The same for at most so many instructions.
template <typename Prepare, typename Body>
uint64_t RunInstructions(uint64_t limit, Prepare prepare, Body body) {
  return RunWhile([=](uint64_t count) { return count < limit; }, prepare, body);
}

// Kills a member at points all over `body`. `check` runs after each kill, with a fresh queue each
// time that `make` has made.
template <typename Make, typename Prepare, typename Body, typename Verify>
void KillEverywhere(Make make, Prepare prepare, Body body, Verify verify) {
  uint64_t total = 0;
  {
    auto scene = make();
    total = RunInstructions(
        UINT64_MAX, [&] { prepare(*scene); }, [&] { body(*scene); });
    verify(*scene, true);
  }
  // Stepping takes a few microseconds. On average half of the instructions are run.
  const uint64_t budget = Setting("LEASE_STEPS", 20000);
  const uint64_t points = std::clamp<uint64_t>(2 * budget / total, 3, total);
  for (uint64_t point = 0; point < points; point++) {
    auto scene = make();
    const uint64_t limit = point * total / points;
    const uint64_t ran = RunInstructions(
        limit, [&] { prepare(*scene); }, [&] { body(*scene); });
    try {
      verify(*scene, ran < limit);
    } catch (const std::exception& error) {
      Fail("after " + std::to_string(limit) + " of " + std::to_string(total) +
               " instructions: " + error.what(),
           __FILE__, __LINE__);
    }
  }
}

// A queue, a member that survives, and one of which a copy in another process is killed.
struct Scene {
  explicit Scene(const LeaseBlock::Limits& limits = {4096, 0, 0}) : queue(limits) {
    survivor = queue.Join();
  }
  // The survivor repairs what there is to repair.
  void Repair() const {
    Equal(survivor->Check(), 0, "Check");
    queue.Audit();
  }
  // The lengths of all items, which are finished.
  std::vector<uint64_t> FinishAll() const {
    std::vector<uint64_t> lengths;
    LeaseMember::Item item;
    while (survivor->Get(false, &item) == 0) {
      Check(BytesOf(item) == Pattern(item.length), "the bytes of an item");
      lengths.push_back(item.length);
      Equal(survivor->End(item.receipt, true), 0);
    }
    Equal(survivor->Finished(), 0, "no item is unfinished");
    const auto found = queue.Audit();
    Check(found.find(State::kLeased) == found.end() || found.at(State::kLeased) == 0);
    Equal(queue.header().free_bytes, queue.header().bytes, "all memory is free");
    return lengths;
  }

  TestLeases queue;
  std::unique_ptr<LeaseMember> survivor;
  std::unique_ptr<LeaseMember> killed;
};

// The member joins in its own process, whose identity it has.
void JoinKilled(Scene& scene) { scene.killed = scene.queue.Join(); }
void Nothing(Scene&) {}

using Lengths = std::vector<uint64_t>;

auto With(Lengths items, LeaseBlock::Limits limits = {4096, 0, 0}) {
  return [=] {
    auto scene = std::make_unique<Scene>(limits);
    for (const uint64_t length : items) Equal(Put(*scene->survivor, Pattern(length)), 0);
    return scene;
  };
}

const Test kPut("leases, kills: an item is put whole or not at all", [] {
  KillEverywhere(
      With({1}), JoinKilled, [](Scene& scene) { (void)Put(*scene.killed, Pattern(200)); },
      [](Scene& scene, bool ended) {
        scene.Repair();
        const Lengths found = scene.FinishAll();
        Check(found == Lengths{1, 200} || (!ended && found == Lengths{1}), "the items");
      });
});

const Test kPutLarge("leases, kills: room that was being filled is free again", [] {
  KillEverywhere(
      With({}, {40000, 0, 0}), JoinKilled,
      [](Scene& scene) {
        const Blob item = Pattern(17000);
        (void)Put(*scene.killed, item);
      },
      [](Scene& scene, bool ended) {
        scene.Repair();
        const Lengths found = scene.FinishAll();
        Check(found == Lengths{17000} || (!ended && found.empty()), "the items");
      });
});

const Test kGet("leases, kills: an item that a consumer takes is handed out again", [] {
  KillEverywhere(
      With({1, 2}), JoinKilled,
      [](Scene& scene) {
        LeaseMember::Item item;
        (void)scene.killed->Get(false, &item);
      },
      [](Scene& scene, bool) {
        scene.Repair();
        Check(scene.FinishAll() == Lengths{1, 2}, "both items, in their order");
      });
});

const Test kNothing("leases, kills: a consumer that finds nothing takes no wake-up along", [] {
  KillEverywhere(
      [] {
        auto scene = With({1})();
        const auto item = Got(*scene->survivor);
        Equal(scene->survivor->End(item.receipt, true), 0);
        return scene;
      },
      JoinKilled,
      [](Scene& scene) {
        LeaseMember::Item item;
        (void)scene.killed->Get(false, &item);
      },
      [](Scene& scene, bool) {
        scene.Repair();
        Equal(Put(*scene.survivor, Pattern(3)), 0);
        Check(scene.queue.IsReady(), "the next item wakes consumers");
        Check(scene.FinishAll() == Lengths{3});
      });
});

void TakeOne(Scene& scene) {
  JoinKilled(scene);
  LeaseMember::Item item;
  if (scene.killed->Get(false, &item) < 0) ::_exit(2);
}

const Test kDone("leases, kills: an item is finished or handed out again, and producers are told",
                 [] {
                   KillEverywhere(
                       [] {
                         auto scene = With({500, 400}, {1000, 0, 0})();
                         Equal(Put(*scene->survivor, Pattern(300)), -EAGAIN);
                         return scene;
                       },
                       TakeOne, [](Scene& scene) { (void)scene.killed->End(0, true); },
                       [](Scene& scene, bool ended) {
                         scene.Repair();
                         const bool told = scene.queue.IsFreed();
                         const bool room = Put(*scene.survivor, Pattern(300)) == 0;
                         Check(told || !room, "the producer is told of the room");
                         Check(room || !ended);
                         const Lengths expected = room ? Lengths{400, 300} : Lengths{500, 400};
                         Check(scene.FinishAll() == expected, "the items");
                       });
                 });

const Test kIdle("leases, kills: the end of the last item is told to a member that waits for it",
                 [] {
                   KillEverywhere(
                       [] {
                         auto scene = With({5})();
                         Equal(scene->survivor->Finished(), -EAGAIN);
                         return scene;
                       },
                       TakeOne, [](Scene& scene) { (void)scene.killed->End(0, true); },
                       [](Scene& scene, bool) {
                         scene.Repair();
                         const bool told = scene.queue.IsFreed();
                         Check(told || scene.survivor->Finished() != 0, "the member is told");
                         const Lengths found = scene.FinishAll();
                         Check(found.empty() || found == Lengths{5});
                       });
                 });

const Test kRelease("leases, kills: an item that is given back is handed out once", [] {
  KillEverywhere(
      With({1, 2}), TakeOne, [](Scene& scene) { (void)scene.killed->End(0, false); },
      [](Scene& scene, bool) {
        scene.Repair();
        Check(scene.FinishAll() == Lengths{1, 2});
      });
});

const Test kJoinLeave("leases, kills: a member that joins or leaves leaves nothing behind", [] {
  KillEverywhere(
      With({1}), Nothing,
      [](Scene& scene) {
        JoinKilled(scene);
        LeaseMember::Item item;
        (void)scene.killed->Get(false, &item);
        scene.killed.reset();
      },
      [](Scene& scene, bool) {
        scene.Repair();
        Check(scene.FinishAll() == Lengths{1});
        uint32_t used = 0;
        for (uint32_t i = 0; i < leases::kMaxMembers; i++) {
          used += leases::IsInUse(scene.queue.block->member(i)) ? 1 : 0;
        }
        Equal(used, 1u, "the survivor's is the only entry");
      });
});

// Regression: it counted as ended before it had the lock, so a member that waited for the lock took
// that over from it, and both changed the lists.
const Test kLeaves(
    "leases, kills: a member that leaves keeps the lock until it has released it", [] {
      const auto scene = With({1, 2})();
      int looks = 0;
      RunWhile(
          [&](uint64_t count) {
            constexpr uint64_t kEvery = 100;
            if (count % kEvery != 0 || looks == 20 || scene->queue.header().lock.load() == 0)
              return true;
            looks++;
            Equal(scene->survivor->Check(), -EBUSY, "after " + Shown(count) + " instructions");
            return true;
          },
          [&] { TakeOne(*scene); }, [&] { scene->killed.reset(); });
      Check(looks > 0, "it has had the lock");
      Check(scene->FinishAll() == Lengths{1, 2}, "the items");
    });

// Two that have the same entry, one after the other: a member that has found the first one dead
// must not take the lock of the second one.
const Test kLockNames(
    "leases, kills: the lock names another holder whenever an entry is used again", [] {
      const auto scene = With({1})();
      const auto held = [&] {
        leases::Header& header = scene->queue.header();
        RunWhile([&](uint64_t) { return header.lock.load() == 0; }, [&] { JoinKilled(*scene); },
                 [&] { (void)scene->killed->Check(); });
        return header.lock.load();
      };
      const uint64_t first = held();
      scene->Repair();
      const uint64_t second = held();
      scene->Repair();
      Check(first != 0 && second != 0, "they had the lock");
      Check(first != second, Shown(first));
    });

const Test kWaits("leases, kills: a member that waits for room leaves no mark that wakes others",
                  [] {
                    KillEverywhere(
                        With({900}, {1000, 0, 0}), JoinKilled,
                        [](Scene& scene) { (void)Put(*scene.killed, Pattern(500)); },
                        [](Scene& scene, bool) {
                          scene.Repair();
                          Check(scene.FinishAll() == Lengths{900});
                          Equal(scene.survivor->Check(), 0);
                          Equal(CountsOf(*scene.queue.block).woken, 0u);
                          Check(!scene.queue.IsFreed());
                        });
                  });

// Ends inside the lock, with a lease, a chunk that it was filling, and lists that are wrong.
void DieInside(const TestLeases& queue) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto member = queue.Join();
    LeaseMember::Item item;
    if (member->Get(false, &item) < 0) ::_exit(2);
    leases::Header& header = queue.header();
    uint32_t index = 0;
    while (queue.block->member(index).pid != static_cast<uint32_t>(::getpid())) index++;
    header.lock.store(uint64_t{index} + 1);
    (void)LeaseTable(queue.block).Allocate(100, index);
    header.queued = {};
    header.free_bytes = header.rover = 0;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  Check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it has died inside the lock");
}

const Test kMender(
    "leases, kills: a member that repairs what a dead one left is repaired after", [] {
      KillEverywhere(
          [] {
            auto scene = With({1, 2, 3})();
            DieInside(scene->queue);
            return scene;
          },
          JoinKilled, [](Scene& scene) { (void)scene.killed->Check(); },
          [](Scene& scene, bool) {
            scene.Repair();
            Check(scene.FinishAll() == Lengths{1, 2, 3}, "the items, in their order");
          });
    });

const Test kLetters("leases, kills: an item for the dead letters is moved at least once", [] {
  KillEverywhere(
      [] {
        auto scene = With({9}, {4096, 0, 1})();
        Equal(scene->survivor->End(Got(*scene->survivor).receipt, false), 0);
        return scene;
      },
      JoinKilled,
      [](Scene& scene) {
        LeaseMember::Item item;
        if (scene.killed->Get(true, &item) == 0) (void)scene.killed->End(item.receipt, true);
      },
      [](Scene& scene, bool ended) {
        scene.Repair();
        LeaseMember::Item item;
        const int status = scene.survivor->Get(true, &item);
        Check(status == -EAGAIN || (!ended && status == 0 && item.dead));
        if (status == 0) Equal(scene.survivor->End(item.receipt, true), 0);
        Check(scene.FinishAll().empty());
      });
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) {
#ifdef __SANITIZE_THREAD__
  // Its runtime does not bear a process that is run instruction by instruction after a fork.
  (void)argc;
  (void)argv;
  std::puts("1..1\nok 1 - leases, kills # skip with ThreadSanitizer");
  return 0;
#else
  return mp::test::Run(argc, argv);
#endif
}
