// SPDX-License-Identifier: MIT
#include "semaphores/semaphore_waiter.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "os/platform.h"
#include "os/thread.h"
#include "util/status.h"

namespace mp {

namespace {

struct WaitRequest {
  std::shared_ptr<TrackedSemaphore> semaphore;
  std::shared_ptr<CompletionQueue> queue;
  int32_t number = 0;
  bool checks = false;  // Whether the semaphore had checks when the wait began.
};

// A semaphore and the requests for it, in their order.
struct Entry {
  std::shared_ptr<TrackedSemaphore> semaphore;
  platform::SemaphoreWord* word = nullptr;  // Null if semaphores are tried in turn.
  std::list<WaitRequest> requests;
  size_t checks = 0;  // How many of them have checks.
};

// Where a request is, so that a caller that gives up need not look through all others.
struct Position {
  Entry* entry;
  std::list<WaitRequest>::iterator request;
};

constexpr uint64_t kOneSleeper = uint64_t{1} << 32;

bool TryAcquire(platform::SemaphoreWord& word) noexcept {
  uint64_t data = word.data.load(std::memory_order_relaxed);
  while (static_cast<uint32_t>(data) > 0) {
    if (word.data.compare_exchange_weak(data, data - 1, std::memory_order_acquire)) return true;
  }
  return false;
}

// A thread and the semaphores that it waits for.
class Shard {
 public:
  explicit Shard(size_t capacity) noexcept : capacity_(capacity) {}
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  int Start() {
    if (capacity_ == 0) {
      const int opened = wake_.Open();
      if (opened < 0) return opened;
    }
    return StartThread(
        &thread_, "mp-semaphore",
        [](void* shard) -> void* {
          static_cast<Shard*>(shard)->Run();
          return nullptr;
        },
        this);
  }

  // False if there is no room for one more semaphore.
  bool Add(WaitRequest&& request) {
    const std::lock_guard lock(mutex_);
    Entry* entry = Find(request.semaphore->semaphore().get());
    if (entry == nullptr) {
      if (capacity_ > 0 && entries_.size() >= capacity_) return false;
      entries_.push_back(MakeEntry(request.semaphore));
      entry = &entries_.back();
    }
    request.checks = request.semaphore->has_checks();
    if (request.checks) entry->checks++;
    const Key key{request.queue.get(), request.number};
    entry->requests.push_back(std::move(request));
    positions_[key] = {entry, std::prev(entry->requests.end())};
    Interrupt();
    return true;
  }

  bool Waits(const TrackedSemaphore& semaphore) {
    const std::lock_guard lock(mutex_);
    return Find(semaphore.semaphore().get()) != nullptr;
  }

  // Whether the request was here. If not, it may have been pushed before.
  bool Remove(const CompletionQueue& queue, int32_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = positions_.find({&queue, number});
    if (found == positions_.end()) return false;
    Entry& entry = *found->second.entry;
    (void)Take(found);
    // Of a semaphore that others wait for, the thread need not know.
    if (entry.requests.empty()) Interrupt();
    return true;
  }

  // Afterwards no request of the queue is pushed any more.
  void RemoveAll(const CompletionQueue& queue) {
    const std::lock_guard lock(mutex_);
    auto next = positions_.lower_bound({&queue, INT32_MIN});
    if (next == positions_.end() || next->first.first != &queue) return;
    while (next != positions_.end() && next->first.first == &queue) (void)Take(next++);
    Interrupt();
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      Interrupt();
    }
    ::pthread_join(thread_, nullptr);
  }

 private:
  using Key = std::pair<const CompletionQueue*, int32_t>;

  WaitRequest Take(std::map<Key, Position>::iterator at) {
    const Position position = at->second;
    WaitRequest request = std::move(*position.request);
    if (request.checks) position.entry->checks--;
    position.entry->requests.erase(position.request);
    positions_.erase(at);
    return request;
  }

  Entry MakeEntry(const std::shared_ptr<TrackedSemaphore>& semaphore) {
    Entry entry;
    entry.semaphore = semaphore;
    if (capacity_ > 0) {
      entry.word = platform::WordOf(semaphore->semaphore().get());
      // From now on sem_post() wakes a sleeper.
      entry.word->data.fetch_add(kOneSleeper);
    }
    return entry;
  }

  Entry* Find(sem_t* semaphore) noexcept {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.semaphore->semaphore().get() == semaphore;
    });
    return found == entries_.end() ? nullptr : &*found;
  }

  void Interrupt() noexcept {
    if (capacity_ > 0) {
      control_.fetch_add(1);
      platform::WakeOne(&control_, false);
    } else {
      wake_.Signal();
    }
  }

  void Run() {
    for (;;) {
      std::vector<platform::SemaphoreWord*> words;
      // Keeps them open while the thread sleeps on them.
      std::vector<std::shared_ptr<TrackedSemaphore>> kept;
      uint32_t expected = 0;
      bool checks = false;
      {
        const std::lock_guard lock(mutex_);
        if (stopped_) break;
        expected = control_.load();
        const auto now = Deadline::Clock::now();
        const bool due = now - checked_ >= kCheckInterval;
        if (due) checked_ = now;
        bool progress = false;
        for (Entry& entry : entries_) {
          progress = Serve(entry) || progress;
          if (due) CheckHolder(entry);
        }
        if (progress) pause_ = kShortestPause;
        DropIdle();
        for (const Entry& entry : entries_) {
          words.push_back(entry.word);
          kept.push_back(entry.semaphore);
          checks |= entry.checks > 0;
        }
      }
      Sleep(words, expected, checks);
    }
    const std::lock_guard lock(mutex_);
    positions_.clear();
    for (Entry& entry : entries_) entry.requests.clear();
    DropIdle();
  }

  // Completes requests with the values that are there. Whether there was one.
  bool Serve(Entry& entry) {
    bool any = false;
    if (!entry.requests.empty() && !entry.requests.front().semaphore->IsIntact()) {
      CompleteAll(entry, -EIO);
    }
    while (!entry.requests.empty()) {
      TrackedSemaphore& semaphore = *entry.requests.front().semaphore;
      const int status = semaphore.TryAcquireWith([&] {
        if (entry.word == nullptr) return semaphore.semaphore().TryWait();
        return TryAcquire(*entry.word) ? 0 : -EAGAIN;
      });
      if (!semaphore.IsIntact()) {
        CompleteAll(entry, -EIO);
        break;
      }
      if (status < 0) break;
      any = true;
      Complete(entry.requests.front(), 0);
    }
    return any;
  }

  // Completes the requests for which a notification was left in the table. Requests of one
  // environment have the same record there.
  void TakeNotifications(Entry& entry) {
    const TrackedSemaphore* without = nullptr;
    for (auto next = entry.requests.begin(); next != entry.requests.end();) {
      const WaitRequest& request = *next++;
      if (!request.checks || request.semaphore.get() == without) continue;
      if (request.semaphore->TakeNotification()) {
        Complete(request, CompletionQueue::kNotified);
      } else {
        without = request.semaphore.get();
      }
    }
  }

  void CheckHolder(Entry& entry) {
    if (entry.checks == 0) return;
    TakeNotifications(entry);
    for (const WaitRequest& request : entry.requests) {
      if (!request.checks) continue;
      const int status = request.semaphore->CheckHolder();
      // The same holds for every request, and each caller decides for itself.
      if (status < 0) CompleteAll(entry, status);
      return;
    }
  }

  void CompleteAll(Entry& entry, int32_t status) {
    while (!entry.requests.empty()) Complete(entry.requests.front(), status);
  }

  void Complete(const WaitRequest& waiting, int32_t status) {
    WaitRequest request = Take(positions_.find({waiting.queue.get(), waiting.number}));
    request.queue->Push({request.number, status, std::move(request.semaphore)});
  }

  // Only on the shard's own thread, which does not sleep at this moment. A wake-up that reached it
  // for a semaphore without requests is passed on.
  void DropIdle() {
    for (Entry& entry : entries_) {
      if (!entry.requests.empty() || entry.word == nullptr) continue;
      const uint64_t before = entry.word->data.fetch_sub(kOneSleeper);
      const bool others = before >> 32 > 1;
      if (others && static_cast<uint32_t>(before) > 0) {
        platform::WakeOne(entry.word->value(), true);
      }
    }
    entries_.remove_if([](const Entry& entry) { return entry.requests.empty(); });
  }

  void Sleep(const std::vector<platform::SemaphoreWord*>& words, uint32_t expected, bool checks) {
    constexpr auto kCheckNs = std::chrono::nanoseconds(kCheckInterval).count();
    if (capacity_ > 0) {
      platform::SleepOnWords(words.data(), words.size(), &control_, expected,
                             checks ? kCheckNs : -1);
      return;
    }
    pollfd wake{wake_.fd(), POLLIN, 0};
    const int timeout = words.empty() ? -1 : static_cast<int>(pause_.count());
    if (sys::Poll(&wake, 1, timeout) > 0) {
      wake_.Clear();
      pause_ = kShortestPause;
    } else {
      pause_ = std::min(2 * pause_, kLongestPause);
    }
  }

  static constexpr std::chrono::milliseconds kShortestPause{1};
  static constexpr std::chrono::milliseconds kLongestPause{16};

  const size_t capacity_;  // How many semaphores it can wait for at once; 0: it tries them in turn.
  std::mutex mutex_;
  std::list<Entry> entries_;
  std::map<Key, Position> positions_;
  std::atomic<uint32_t> control_{0};
  Wake wake_;
  Deadline::Clock::time_point checked_ = Deadline::Clock::now();
  std::chrono::milliseconds pause_ = kShortestPause;
  bool stopped_ = false;
  pthread_t thread_{};
};

// Leaked on purpose: the threads may still run when static destructors do.
struct Shards {
  std::mutex mutex;
  std::vector<std::unique_ptr<Shard>> all;
  std::vector<std::weak_ptr<CompletionQueue>> queues;
};

Shards& AllShards() {
  static auto& shards = *new Shards;
  return shards;
}

enum class Method : uint8_t { kUndecided, kBestOfSystem, kInTurn };
std::atomic<Method> method{Method::kUndecided};

size_t ShardCapacity() noexcept {
  return method.load() == Method::kInTurn ? 0 : platform::MaxSemaphoreWords();
}

}  // namespace

void SemaphoreWaiter::Configure(bool in_turn) noexcept {
  Method undecided = Method::kUndecided;
  method.compare_exchange_strong(undecided, in_turn ? Method::kInTurn : Method::kBestOfSystem);
}

int SemaphoreWaiter::Start(std::shared_ptr<TrackedSemaphore> semaphore,
                           std::shared_ptr<CompletionQueue> queue, int32_t number) {
  const std::lock_guard lock(AllShards().mutex);
  auto& all = AllShards().all;
  auto& queues = AllShards().queues;
  std::erase_if(queues, [](const auto& known) { return known.expired(); });
  if (std::none_of(queues.begin(), queues.end(),
                   [&](const auto& known) { return known.lock() == queue; })) {
    queues.push_back(queue);
  }
  // All requests for a semaphore go to one thread, so that their order is kept.
  for (const bool has_semaphore : {true, false}) {
    for (const auto& shard : all) {
      if (shard->Waits(*semaphore) == has_semaphore &&
          shard->Add({semaphore, queue, number, false}))
        return 0;
    }
  }
  auto shard = std::make_unique<Shard>(ShardCapacity());
  const int started = shard->Start();
  if (started < 0) return started;
  shard->Add({std::move(semaphore), std::move(queue), number, false});
  all.push_back(std::move(shard));
  return 0;
}

void SemaphoreWaiter::Cancel(const std::shared_ptr<CompletionQueue>& queue, int32_t number) {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) {
    if (shard->Remove(*queue, number)) return;
  }
  queue->Withdraw([&](int32_t request) { return request == number; });
}

void SemaphoreWaiter::CancelAll(const std::shared_ptr<CompletionQueue>& queue) {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) {
    shard->RemoveAll(*queue);
  }
  queue->Withdraw([](int32_t) { return true; });
}

void SemaphoreWaiter::Stop() {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) shard->Stop();
  AllShards().all.clear();
  for (const auto& known : AllShards().queues) {
    if (const auto queue = known.lock()) queue->Withdraw([](int32_t) { return true; });
  }
}

}  // namespace mp
