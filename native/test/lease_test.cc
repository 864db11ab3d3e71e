// SPDX-License-Identifier: MIT
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <thread>
#include <vector>

#include "leases.h"
#include "leases/lease_members.h"
#include "os/platform.h"
#include "queue/queue_state.h"
#include "semaphores.h"
#include "util/status.h"

namespace mp::test {
namespace {

constexpr LeaseBlock::Limits kSmall{4096, 0, 0};

const Test kOrder("leases: items come in the order in which they were put, and are counted", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}}) {
    Equal(Put(*member, Pattern(size)), 0);
  }
  Check(queue.IsReady());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}}) {
    const auto item = Got(*member);
    Check(BytesOf(item) == Pattern(size));
    Equal(item.deliveries, 1u);
    Equal(item.dead, false);
  }
  LeaseMember::Item none;
  Equal(member->Get(false, &none), -EAGAIN);
  Check(!queue.IsReady(), "a consumer that finds nothing takes the byte");
  Equal(queue.Audit()[State::kLeased], 3u);
  Equal(member->Finished(), -EAGAIN);
  for (int i = 0; i < 3; i++) Equal(member->End(0, true), 0);
  Equal(member->End(0, true), -ESRCH);
  Equal(member->Finished(), 0);
  Equal(queue.Audit()[State::kLeased], 0u);
});

const Test kPrefix("leases: an item in two pieces is one item, short or long", [] {
  const TestLeases queue({400000, 0, 0});
  const auto member = queue.Join();
  for (const size_t size : {size_t{0}, size_t{100}, size_t{300000}}) {
    const Blob prefix = Pattern(15);
    const Blob payload = Pattern(size);
    Blob whole = prefix;
    whole.insert(whole.end(), payload.begin(), payload.end());
    Equal(member->Put({prefix.data(), prefix.size(), payload.data(), payload.size()}), 0);
    Check(BytesOf(Got(*member)) == whole);
    Equal(member->End(0, true), 0);
  }
  queue.Audit();
});

const Test kReceipts("leases: a receipt ends its own lease, once, in any order", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  const auto other = queue.Join();
  for (size_t size = 1; size <= 3; size++) Equal(Put(*member, Pattern(size)), 0);
  const auto first = Got(*member);
  const auto second = Got(*member);
  Equal(member->End(second.receipt, true), 0);
  Equal(member->End(second.receipt, true), -ESRCH);
  Equal(other->End(first.receipt, true), -ESRCH);
  Equal(other->End(0, true), -ESRCH);
  LeaseMember::Item found;
  Equal(member->Find(first.receipt, &found), 0);
  Equal(found.length, 1u);
  Equal(member->Find(second.receipt, &found), -ESRCH);
  Equal(queue.Audit()[State::kLeased], 1u);
});

const Test kRelease("leases: an item that is given back is handed out before new ones", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  for (size_t size = 1; size <= 3; size++) Equal(Put(*member, Pattern(size)), 0);
  Equal(member->End(Got(*member).receipt, false), 0);
  const auto again = Got(*member);
  Equal(again.length, 1u);
  Equal(again.deliveries, 2u);
  Equal(Got(*member).length, 2u);
  queue.Audit();
});

const Test kFull("leases: without room nothing is put, and the member is told when there may be",
                 [] {
                   const TestLeases queue({1000, 0, 0});
                   const auto producer = queue.Join();
                   const auto consumer = queue.Join();
                   Equal(Put(*producer, Pattern(1001)), -EMSGSIZE);
                   Equal(Put(*producer, Pattern(1000)), 0);
                   Equal(Put(*producer, Pattern(1)), -EAGAIN);
                   Check(!queue.IsFreed());
                   const auto item = Got(*consumer);
                   Equal(Put(*producer, Pattern(1)), -EAGAIN, "a leased item keeps its bytes");
                   Equal(consumer->End(item.receipt, true), 0);
                   Check(queue.IsFreed());
                   Equal(CountsOf(*queue.block).woken, 1u);
                   queue.Audit();
                   Equal(Put(*producer, Pattern(1)), 0);
                   Check(!queue.IsFreed(), "every member that was woken has looked");
                   queue.Audit();
                 });

const Test kPlaces("leases: an item that was handed out holds no place, before or after", [] {
  const TestLeases queue({4096, 2, 0});
  const auto member = queue.Join();
  Equal(Put(*member, Pattern(1)), 0);
  Equal(Put(*member, Pattern(2)), 0);
  Equal(Put(*member, Pattern(3)), -EAGAIN);
  const auto item = Got(*member);
  Check(queue.IsFreed());
  Equal(Put(*member, Pattern(3)), 0);
  Equal(member->End(item.receipt, false), 0);
  Equal(CountsOf(*queue.block).places, 2u);
  Equal(CountsOf(*queue.block).waiting, 3u);
  Equal(Got(*member).length, 1u);
  queue.Audit();
});

const Test kWoken("leases: the pipe stays readable until all members that were woken have looked",
                  [] {
                    const TestLeases queue({1000, 0, 0});
                    const auto first = queue.Join();
                    const auto second = queue.Join();
                    const auto third = queue.Join();
                    Equal(Put(*first, Pattern(900)), 0);
                    Equal(Put(*first, Pattern(500)), -EAGAIN);
                    Equal(Put(*second, Pattern(600)), -EAGAIN);
                    Equal(Got(*third).length, 900u);
                    Equal(third->Finished(), -EAGAIN);
                    Equal(third->End(0, true), 0);
                    Equal(CountsOf(*queue.block).woken, 3u);
                    Equal(Put(*first, Pattern(500)), 0);
                    Check(queue.IsFreed());
                    Equal(Put(*second, Pattern(600)), -EAGAIN);
                    Check(queue.IsFreed());
                    third->Forget(leases::Want::kIdle);
                    Check(!queue.IsFreed());
                    queue.Audit();
                  });

const Test kLetters("leases: after its last delivery an item is for the dead letters", [] {
  const TestLeases queue({4096, 0, 2});
  const auto member = queue.Join();
  Equal(Put(*member, Pattern(7)), 0);
  for (uint32_t i = 1; i <= 2; i++) {
    const auto item = Got(*member);
    Equal(item.deliveries, i);
    Equal(item.dead, false);
    Equal(member->End(item.receipt, false), 0);
  }
  LeaseMember::Item item;
  Equal(member->Get(false, &item), -EAGAIN);
  Equal(queue.Audit()[State::kDead], 1u);
  {
    // Its mover ends before the item is safe.
    const auto mover = queue.Join();
    Check(Got(*mover, true).dead);
  }
  Equal(queue.Audit()[State::kDead], 1u);
  item = Got(*member, true);
  Check(item.dead);
  Equal(member->End(0, true), -ESRCH, "no consumer has it");
  Check(BytesOf(item) == Pattern(7));
  Equal(member->End(item.receipt, true), 0);
  Equal(member->Finished(), 0);
});

const Test kClosed("leases: a member that leaves gives back what it has", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  for (size_t size = 1; size <= 3; size++) Equal(Put(*member, Pattern(size)), 0);
  {
    const auto other = queue.Join();
    (void)Got(*other);
    (void)Got(*other);
  }
  Equal(queue.Audit()[State::kReturned], 2u);
  for (size_t size = 1; size <= 3; size++) Equal(Got(*member).length, size);
});

const Test kEnded("leases: after a shutdown nothing can be put, and items that are left can be got",
                  [] {
                    const TestLeases queue(kSmall);
                    const auto member = queue.Join();
                    Equal(Put(*member, Pattern(1)), 0);
                    member->AddFlags(QueueState::kIsShutDown);
                    Equal(Put(*member, Pattern(1)), kShutDown);
                    const auto item = Got(*member);
                    LeaseMember::Item none;
                    Equal(member->Get(false, &none), kShutDown);
                    Check(queue.IsReady(), "it stays readable for all members");
                    Equal(member->End(item.receipt, false), 0);
                    Equal(Got(*member).deliveries, 2u);
                    member->AddFlags(QueueState::kDropped);
                    Equal(member->Get(false, &none), kShutDown);
                  });

const Test kReport("leases: a report tells which member has how many items", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  const auto other = queue.Join();
  for (size_t size = 1; size <= 4; size++) Equal(Put(*member, Pattern(size)), 0);
  (void)Got(*member);
  (void)Got(*other);
  (void)Got(*other);
  std::vector<LeaseMember::Holder> holders;
  uint64_t waiting = 0;
  Equal(member->Report(&holders, &waiting), 0);
  Equal(waiting, 1u);
  Equal(holders.size(), 2u);
  std::multiset<uint64_t> items;
  for (const auto& holder : holders) {
    Equal(holder.pid, ::getpid());
    items.insert(holder.items);
  }
  Check(items == std::multiset<uint64_t>{1, 2});
});

const Test kFragments("leases: free chunks around long leases are joined and used", [] {
  const TestLeases queue({64 * 1024, 0, 0});
  const auto member = queue.Join();
  std::vector<uint64_t> kept;
  for (int round = 0; round < 200; round++) {
    while (Put(*member, Pattern(static_cast<size_t>(round * 37 % 3000))) == 0) {
    }
    LeaseMember::Item item;
    for (int i = 0; member->Get(false, &item) == 0; i++) {
      if (i == 3 && kept.size() < 10) {
        kept.push_back(item.receipt);
      } else {
        Equal(member->End(item.receipt, true), 0);
      }
    }
    queue.Audit();
  }
  for (const uint64_t receipt : kept) Equal(member->End(receipt, true), 0);
  Equal(Put(*member, Pattern(64 * 1024)), 0);
  queue.Audit();
});

const Test kBusy("leases: a member that stops inside the lock makes the others busy, not dead", [] {
  const TestLeases queue(kSmall);
  const auto member = queue.Join();
  Equal(Put(*member, Pattern(1)), 0);
  const pid_t child = StartChild([&] {
    const int index = leases::ClaimMember(*queue.block, 0);
    queue.header().lock.store(static_cast<uint64_t>(index) + 1);
  });
  LeaseMember::Item item;
  Equal(member->Get(false, &item), -EBUSY);
  Equal(Put(*member, Pattern(2)), -EBUSY);
  ::kill(child, SIGSTOP);
  Equal(member->Check(), -EBUSY);
  KillAndReap(child);
  Equal(Got(*member).length, 1u);
  queue.Audit();
});

const Test kManyDead("leases: the entries of dead members are used again, before a new one fails",
                     [] {
                       const TestLeases queue(kSmall);
                       KillAndReap(StartChild([&] {
                         while (leases::ClaimMember(*queue.block, 0) >= 0) {
                         }
                       }));
                       Equal(leases::ClaimMember(*queue.block, 0), -EUSERS);
                       const auto member = queue.Join();
                       Equal(Put(*member, Pattern(1)), 0);
                       queue.Audit();
                     });

const Test kForeign("leases: a descriptor of something else is refused", [] {
  std::shared_ptr<LeaseBlock> block;
  const RawPair pipe = RawPipe();
  Equal(LeaseBlock::Open(pipe.reader.get(), &block), -EPROTO);
  const UniqueFd plain(platform::MakeMemoryFile("plain", 1 << 20));
  Equal(LeaseBlock::Open(plain.get(), &block), -EPROTO);
  const UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC));
  Equal(LeaseBlock::Open(unsealed.get(), &block), -EPROTO);
  Check(::ftruncate(plain.get(), 0) < 0, "a block cannot shrink");
});

const Test kThreads("leases: four producers and four consumers finish every item once", [] {
  constexpr int kSides = 4;
  constexpr uint64_t kEach = 2000;
  const TestLeases queue({20000, 20, 0});
  std::vector<std::thread> threads;
  std::atomic<uint64_t> finished{0};
  std::atomic<uint64_t> sum{0};
  // The checks count, which only one thread may do.
  std::atomic<int> unexpected{0};
  for (int side = 0; side < kSides; side++) {
    threads.emplace_back([&, member = queue.Join()] {
      for (uint64_t i = 1; i <= kEach; i++) {
        const Blob item = Pattern(i);
        for (int status; (status = Put(*member, item)) != 0;) {
          if (status != -EAGAIN && status != -EBUSY) unexpected++;
          std::this_thread::yield();
        }
      }
    });
    threads.emplace_back([&, member = queue.Join()] {
      while (finished.load() < kSides * kEach) {
        LeaseMember::Item item;
        if (member->Get(false, &item) < 0) {
          std::this_thread::yield();
          continue;
        }
        sum += item.length;
        while (member->End(item.receipt, true) == -EBUSY) std::this_thread::yield();
        finished++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  Equal(unexpected.load(), 0);
  Equal(finished.load(), kSides * kEach);
  Equal(sum.load(), kSides * kEach * (kEach + 1) / 2);
  Equal(queue.Audit()[State::kFree] > 0, true);
  Equal(queue.header().unfinished.load(), 0u);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
