// SPDX-License-Identifier: MIT
#include "queue/feeders.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace mp {

namespace {

struct Waiter {
  std::shared_ptr<CompletionQueue> queue;
  int32_t request;
};

// Leaked on purpose: their threads may still run when static destructors do.
struct All {
  std::mutex mutex;
  std::vector<std::shared_ptr<RunningFeeder>> feeders;
  std::vector<Waiter> waiters;
};

All& AllFeeders() {
  static auto& all = *new All;
  return all;
}

Feeders::Load WaitingLocked() {
  Feeders::Load sum;
  for (const auto& feeder : AllFeeders().feeders) {
    const RunningFeeder::Load load = feeder->load();
    if (load.items == 0) continue;
    if (sum.queues++ == 0) sum.name = feeder->name();
    sum.items += load.items;
    sum.bytes += load.bytes;
  }
  return sum;
}

std::vector<std::shared_ptr<RunningFeeder>> Copy() {
  const std::lock_guard lock(AllFeeders().mutex);
  return AllFeeders().feeders;
}

}  // namespace

void Feeders::Add(std::shared_ptr<RunningFeeder> feeder) {
  const std::lock_guard lock(AllFeeders().mutex);
  AllFeeders().feeders.push_back(std::move(feeder));
}

void Feeders::Remove(const RunningFeeder* feeder) {
  // Let go outside of the lock: it may be the last reference.
  std::shared_ptr<RunningFeeder> removed;
  const std::lock_guard lock(AllFeeders().mutex);
  auto& feeders = AllFeeders().feeders;
  const auto found = std::find_if(feeders.begin(), feeders.end(),
                                  [=](const auto& each) { return each.get() == feeder; });
  if (found == feeders.end()) return;
  removed = std::move(*found);
  feeders.erase(found);
}

Feeders::Load Feeders::Waiting() {
  const std::lock_guard lock(AllFeeders().mutex);
  return WaitingLocked();
}

void Feeders::NotifyWhenIdle(std::shared_ptr<CompletionQueue> queue, int32_t request) {
  {
    const std::lock_guard lock(AllFeeders().mutex);
    AllFeeders().waiters.push_back({std::move(queue), request});
  }
  Look();
}

void Feeders::Look() {
  const std::lock_guard lock(AllFeeders().mutex);
  auto& waiters = AllFeeders().waiters;
  if (waiters.empty() || WaitingLocked().items > 0) return;
  for (const Waiter& waiter : waiters) waiter.queue->Push({waiter.request, 0, nullptr});
  waiters.clear();
}

void Feeders::CutReaders() {
  for (const auto& feeder : Copy()) {
    if (feeder->load().items > 0) feeder->CutReader();
  }
}

bool Feeders::Stop() {
  bool stopped = true;
  for (const auto& feeder : Copy()) stopped = feeder->Stop() && stopped;
  return stopped;
}

}  // namespace mp
