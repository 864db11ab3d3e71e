// SPDX-License-Identifier: MIT
#include "semaphores/semaphore_waiter.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "os/platform.h"
#include "os/thread.h"
#include "util/status.h"

namespace mp {

namespace {

// So long the death of a holder may go unnoticed. No system tells it of somebody else's process
// together with a change of a semaphore.
constexpr std::chrono::milliseconds kHolderCheck{500};

struct Request {
  std::shared_ptr<TrackedSemaphore> semaphore;
  std::shared_ptr<CompletionQueue> queue;
  int32_t number = 0;
};

// A semaphore and those who wait for it, in their order.
struct Entry {
  std::shared_ptr<TrackedSemaphore> semaphore;
  platform::SemaphoreWord* word = nullptr;  // Null where there is no waiting for many.
  std::list<Request> requests;
};

constexpr uint64_t kOneSleeper = uint64_t{1} << 32;

bool TryTake(platform::SemaphoreWord& word) noexcept {
  uint64_t data = word.data.load(std::memory_order_relaxed);
  while (static_cast<uint32_t>(data) > 0) {
    if (word.data.compare_exchange_weak(data, data - 1, std::memory_order_acquire)) return true;
  }
  return false;
}

// One thread with the semaphores it waits for.
class Shard {
 public:
  explicit Shard(size_t most) noexcept : most_(most) {}
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  int Start() {
    if (most_ == 0) {
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

  // False if it has no room for one more semaphore.
  bool Add(Request&& request) {
    const std::lock_guard lock(mutex_);
    Entry* entry = Find(request.semaphore->semaphore().get());
    if (entry == nullptr) {
      if (most_ > 0 && entries_.size() >= most_) return false;
      entries_.push_back(MakeEntry(request.semaphore));
      entry = &entries_.back();
    }
    entry->requests.push_back(std::move(request));
    Interrupt();
    return true;
  }

  bool Waits(const TrackedSemaphore& semaphore) {
    const std::lock_guard lock(mutex_);
    return Find(semaphore.semaphore().get()) != nullptr;
  }

  // Afterwards such a request is not here and will not be pushed; it may have been.
  template <typename Wanted>
  void Remove(Wanted wanted) {
    const std::lock_guard lock(mutex_);
    bool any = false;
    for (Entry& entry : entries_) {
      any = entry.requests.remove_if(wanted) > 0 || any;
    }
    if (any) Interrupt();
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
  Entry MakeEntry(const std::shared_ptr<TrackedSemaphore>& semaphore) {
    Entry entry;
    entry.semaphore = semaphore;
    if (most_ > 0) {
      entry.word = platform::WordOf(semaphore->semaphore().get());
      // From now on sem_post() wakes somebody.
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
    if (most_ > 0) {
      control_.fetch_add(1);
      platform::WakeOne(&control_, false);
    } else {
      wake_.Signal();
    }
  }

  void Run() {
    for (;;) {
      std::vector<platform::SemaphoreWord*> words;
      // Kept open while the thread sleeps on them.
      std::vector<std::shared_ptr<TrackedSemaphore>> kept;
      uint32_t expected = 0;
      bool checks = false;
      {
        const std::lock_guard lock(mutex_);
        if (stopped_) break;
        expected = control_.load();
        const auto now = Deadline::Clock::now();
        const bool due = now - checked_ >= kHolderCheck;
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
          for (const Request& request : entry.requests) checks |= request.semaphore->has_checks();
        }
      }
      Sleep(words, expected, checks);
    }
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) entry.requests.clear();
    DropIdle();
  }

  // Gives values to those who wait; whether there was one.
  bool Serve(Entry& entry) {
    bool any = false;
    while (!entry.requests.empty()) {
      const bool took = entry.word != nullptr ? TryTake(*entry.word)
                                              : entry.semaphore->semaphore().TryWait() == 0;
      if (!took) break;
      any = true;
      entry.requests.front().semaphore->MarkHeld();
      Complete(entry, 0);
    }
    return any;
  }

  void CheckHolder(Entry& entry) {
    for (const Request& request : entry.requests) {
      if (!request.semaphore->has_checks()) continue;
      if (request.semaphore->CheckHolder() == kOwnerDied) {
        // All of them would find out the same, and each decides for itself.
        while (!entry.requests.empty()) Complete(entry, kOwnerDied);
      }
      return;
    }
  }

  void Complete(Entry& entry, int32_t status) {
    Request request = std::move(entry.requests.front());
    entry.requests.pop_front();
    request.queue->Push({request.number, status, std::move(request.semaphore)});
  }

  // Only on the thread itself, which is asleep on none of them here: a wake-up that reached it for
  // a semaphore that nobody waits for any more is passed on.
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
    constexpr auto kCheckNs = std::chrono::nanoseconds(kHolderCheck).count();
    if (most_ > 0) {
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

  const size_t most_;  // How many semaphores it can wait for at once; 0: it tries them in turn.
  std::mutex mutex_;
  std::list<Entry> entries_;
  std::atomic<uint32_t> control_{0};
  Wake wake_;
  Deadline::Clock::time_point checked_ = Deadline::Clock::now();
  std::chrono::milliseconds pause_ = kShortestPause;
  bool stopped_ = false;
  pthread_t thread_{};
};

// Leaked on purpose: its threads may still run when static destructors do.
struct Shards {
  std::mutex mutex;
  std::vector<std::unique_ptr<Shard>> all;
  std::vector<std::weak_ptr<CompletionQueue>> queues;
};

Shards& AllShards() {
  static auto& shards = *new Shards;
  return shards;
}

size_t MostOfAShard() noexcept {
  static const size_t most = [] {
    const char* named = std::getenv("NODE_MULTIPROCESSING_WAITER");
    if (named != nullptr && std::strcmp(named, "poll") == 0) return size_t{0};
    return platform::MostSemaphoreWords();
  }();
  return most;
}

}  // namespace

bool SemaphoreWaiter::WaitsForMany() noexcept { return MostOfAShard() > 0; }

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
  // All requests for a semaphore are with one thread, which keeps their order.
  for (const bool has_it : {true, false}) {
    for (const auto& shard : all) {
      if (shard->Waits(*semaphore) == has_it && shard->Add({semaphore, queue, number})) return 0;
    }
  }
  auto shard = std::make_unique<Shard>(MostOfAShard());
  const int started = shard->Start();
  if (started < 0) return started;
  shard->Add({std::move(semaphore), std::move(queue), number});
  all.push_back(std::move(shard));
  return 0;
}

void SemaphoreWaiter::Cancel(const std::shared_ptr<CompletionQueue>& queue, int32_t number) {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) {
    shard->Remove(
        [&](const Request& request) { return request.queue == queue && request.number == number; });
  }
  queue->Undo([&](int32_t request) { return request == number; });
}

void SemaphoreWaiter::CancelAll(const std::shared_ptr<CompletionQueue>& queue) {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) {
    shard->Remove([&](const Request& request) { return request.queue == queue; });
  }
  queue->Undo([](int32_t) { return true; });
}

void SemaphoreWaiter::Stop() {
  const std::lock_guard lock(AllShards().mutex);
  for (const auto& shard : AllShards().all) shard->Stop();
  AllShards().all.clear();
  for (const auto& known : AllShards().queues) {
    if (const auto queue = known.lock()) queue->Undo([](int32_t) { return true; });
  }
}

}  // namespace mp
