// SPDX-License-Identifier: MIT
#include "io/flush_thread.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "os/condition.h"
#include "os/platform.h"
#include "os/sys.h"
#include "os/thread.h"
#include "os/wake.h"

namespace mp {

namespace {

using Clock = Outbox::Clock;
using std::chrono::nanoseconds;

// How long the thread waits for more when it has nothing to do.
constexpr nanoseconds kLinger = std::chrono::milliseconds(100);

// How long it waits for room where it has no descriptor to be woken by.
constexpr nanoseconds kSlice = std::chrono::milliseconds(20);

constexpr int64_t kNever = INT64_MAX;

int64_t Now() noexcept { return nanoseconds(Clock::now().time_since_epoch()).count(); }

struct Watched {
  std::weak_ptr<Endpoint> endpoint;
  const Endpoint* identity;
  // Of an environment that has ended: what keeps the endpoint, and for how long.
  std::shared_ptr<Endpoint> adopted;
  int64_t give_up_at = kNever;
  bool needs_room = false;
};

// Everything but the loop of the thread is used with the mutex.
class Flusher {
 public:
  void Add(Watched watched, int64_t due) {
    const std::lock_guard lock(mutex_);
    const auto known = Find(watched.identity);
    if (known == watched_.end()) {
      watched_.push_back(std::move(watched));
    } else if (watched.adopted) {
      *known = std::move(watched);
    } else if (known->needs_room) {
      // The thread is woken by the room.
      return;
    }
    if (!running_)
      Start();
    else if (due < sleeps_until_)
      WakeUp();
  }

  void Remove(const Endpoint* endpoint) noexcept {
    const std::lock_guard lock(mutex_);
    const auto known = Find(endpoint);
    if (known == watched_.end()) return;
    const bool polled = known->needs_room;
    watched_.erase(known);
    if (polled) WakeUp();
  }

  // Blocks until nothing is left of environments that have ended, or their time is over: the thread
  // itself may be in a write that waits (IoMethod::kPoll).
  void AwaitAdopted() {
    const std::lock_guard lock(mutex_);
    for (;;) {
      int64_t until = 0;
      for (const Watched& each : watched_) {
        if (each.adopted) until = std::max(until, each.give_up_at);
      }
      const int64_t left = until - Now();
      if (left <= 0) return;
      if (!running_) Start();
      if (!running_) return;
      over_.WaitFor(mutex_, nanoseconds(left));
    }
  }

 private:
  std::vector<Watched>::iterator Find(const Endpoint* endpoint) noexcept {
    return std::find_if(watched_.begin(), watched_.end(),
                        [=](const Watched& each) { return each.identity == endpoint; });
  }

  void Start() {
    pthread_t thread{};
    // Without memory for it the next call tries again.
    if (StartThread(&thread, "mp-flush", Main, this) < 0) return;
    ::pthread_detach(thread);
    running_ = true;
  }

  void WakeUp() noexcept {
    sleeps_until_ = 0;
    if (polls_)
      wake_.Signal();
    else
      changed_.Signal();
  }

  static void* Main(void* flusher) {
    static_cast<Flusher*>(flusher)->Run();
    return nullptr;
  }

  void Run() {
    mutex_.lock();
    for (bool lingered = false;;) {
      const int64_t next = WriteWhatIsDue();
      if (watched_.empty()) {
        if (lingered) break;
        sleeps_until_ = kNever;
        lingered = !changed_.WaitFor(mutex_, kLinger);
        continue;
      }
      lingered = false;
      const bool needs_room = std::any_of(watched_.begin(), watched_.end(),
                                          [](const Watched& each) { return each.needs_room; });
      sleeps_until_ = next;
      if (needs_room)
        WaitForRoom(next);
      else if (next > Now())
        changed_.WaitFor(mutex_, nanoseconds(next - Now()));
      sleeps_until_ = 0;
    }
    running_ = false;
    mutex_.unlock();
  }

  // Returns when something is due next.
  int64_t WriteWhatIsDue() {
    int64_t next = kNever;
    std::vector<std::shared_ptr<Endpoint>> endpoints;
    const int64_t now = Now();
    std::erase_if(watched_, [&](Watched& each) {
      std::shared_ptr<Endpoint> endpoint = each.endpoint.lock();
      const int64_t due = endpoint ? endpoint->outbox().due() : 0;
      const bool over = due == 0 || each.give_up_at <= now;
      if (!over && !each.needs_room && due <= now)
        endpoints.push_back(std::move(endpoint));
      else if (!over)
        next = std::min({next, each.needs_room ? kNever : due, each.give_up_at});
      // The last reference may be this one, and closes the descriptor.
      if (over && each.adopted) {
        endpoints.push_back(std::move(each.adopted));
        over_.Signal();
      }
      return over;
    });
    if (endpoints.empty()) return next;
    mutex_.unlock();
    // A write can wait where nothing but poll() is left (IoMethod::kPoll).
    std::vector<const Endpoint*> full;
    for (const auto& endpoint : endpoints) {
      if (!endpoint->outbox().FlushLate(endpoint->sink())) full.push_back(endpoint.get());
    }
    endpoints.clear();
    mutex_.lock();
    for (const Endpoint* endpoint : full) {
      const auto known = Find(endpoint);
      if (known != watched_.end()) known->needs_room = true;
    }
    return Now();
  }

  // Until there may be room somewhere, or the time has come.
  void WaitForRoom(int64_t until) {
    if (wake_.fd() < 0 && wake_.Open() < 0) {
      changed_.WaitFor(mutex_, kSlice);
      for (Watched& each : watched_) each.needs_room = false;
      return;
    }
    std::vector<pollfd> fds{{wake_.fd(), POLLIN, 0}};
    std::vector<const Endpoint*> polled;
    for (const Watched& each : watched_) {
      const auto endpoint = each.needs_room ? each.endpoint.lock() : nullptr;
      if (!endpoint) continue;
      // Forget() ends the wait before the descriptor is closed.
      fds.push_back({endpoint->fd(), POLLOUT, 0});
      polled.push_back(each.identity);
    }
    const int64_t left = until == kNever ? -1 : std::max<int64_t>(until - Now(), 0);
    polls_ = true;
    mutex_.unlock();
    platform::WaitForEvents(fds.data(), static_cast<nfds_t>(fds.size()), left);
    mutex_.lock();
    polls_ = false;
    wake_.Clear();
    bool waits = false;
    for (size_t i = 0; i < polled.size(); i++) {
      const auto known = Find(polled[i]);
      if (known == watched_.end()) continue;
      if (fds[i + 1].revents == 0) {
        waits = true;
        continue;
      }
      known->needs_room = false;
      // The environment's thread has seen the same, unless it is blocked.
      const auto endpoint = known->endpoint.lock();
      if (endpoint) endpoint->outbox().Postpone();
    }
    if (!waits) wake_.Close();
  }

  std::mutex mutex_;
  Condition changed_;
  Condition over_;
  std::vector<Watched> watched_;
  Wake wake_;
  // When the thread looks again by itself; 0 while it works.
  int64_t sleeps_until_ = 0;
  bool polls_ = false;
  bool running_ = false;
};

// Leaked on purpose: the thread may still run when static destructors do.
Flusher& TheFlusher() {
  static auto& flusher = *new Flusher;
  return flusher;
}

}  // namespace

void FlushThread::Watch(const std::shared_ptr<Endpoint>& endpoint) {
  TheFlusher().Add({endpoint, endpoint.get(), nullptr}, endpoint->outbox().due());
}

void FlushThread::Adopt(std::shared_ptr<Endpoint> endpoint, std::chrono::milliseconds limit) {
  // The end of the process ends this thread, and workers with it: it waits for what they have left.
  static const struct AtExit {
    ~AtExit() { TheFlusher().AwaitAdopted(); }
  } at_exit;
  Watched watched{endpoint, endpoint.get(), nullptr, Now() + nanoseconds(limit).count()};
  watched.adopted = std::move(endpoint);
  TheFlusher().Add(std::move(watched), 0);
}

void FlushThread::Forget(const Endpoint& endpoint) noexcept { TheFlusher().Remove(&endpoint); }

}  // namespace mp
