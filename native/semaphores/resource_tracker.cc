// SPDX-License-Identifier: MIT
#include "semaphores/resource_tracker.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/platform.h"
#include "os/processes.h"
#include "os/sys.h"
#include "os/thread.h"
#include "os/wake.h"
#include "registers/resource.h"
#include "semaphores/family.h"

namespace mp::resource_tracker {

namespace {

// Longer lines are not from Python, which writes at most 512 bytes.
constexpr size_t kLongestLine = 4096;

struct Child {
  UniqueFd pipe;
  std::string unread;
  std::set<Resource> semaphores;
  std::vector<Given> given;
  // The child and its descendants, as far as they have records of `given`. Each is readable when
  // the process has ended.
  std::vector<UniqueFd> members;
  // Those for which this process had no descriptor. They are tried again.
  std::vector<pid_t> unwatched;
  // Whether one of them has ended, and what it held is not known yet.
  bool undecided = false;
};

// Leaked on purpose: the thread may still run when static destructors do.
struct Tracker {
  std::mutex mutex;
  pthread_t thread{};
  bool running = false;
  bool stopping = false;
  Wake wake;
  std::vector<std::unique_ptr<Child>> added;
  // For the thread only: this process' own at the time of the last registration.
  std::shared_ptr<Family> family;
};

Tracker& TheTracker() {
  static auto& tracker = *new Tracker;
  return tracker;
}

// Without a registration there is no family, so that no files stay after a kill.
void Register(const Resource& resource) {
  std::shared_ptr<Family>& family = TheTracker().family;
  // What cannot be registered stays behind if this process is killed.
  if (Family::Own(&family) == 0) (void)family->AddResource(resource);
}

void Forget(const Resource& resource) {
  const std::shared_ptr<Family>& family = TheTracker().family;
  if (family) family->RemoveResource(resource);
}

// Python members that wait for a lock do not look for its holder, so this process does.
void CheckHolders(Child& child) {
  // Without a free descriptor no process can be found to have ended.
  child.undecided = !UniqueFd(sys::Duplicate(TheTracker().wake.fd()));
  if (child.undecided) return;
  for (const auto& [semaphore, table, number, role] : child.given) {
    TrackedSemaphore tracked(semaphore);
    if (tracked.Track(table, number, role) < 0) {
      child.undecided = true;
      continue;
    }
    // An exposed lock is reported to the callers that wait for it.
    if (tracked.CheckHolder() < 0 || !tracked.has_holder() || tracked.IsExposed()) continue;
    child.undecided = table->ForgetDeadTakers(number, *semaphore) || child.undecided;
  }
}

// The process with this pid has records. It may have ended already.
void AddMember(pid_t pid, Child& child) {
  const int process = platform::OpenProcess(pid);
  if (process >= 0)
    child.members.emplace_back(process);
  else if (sys::IsShortage(process))
    child.unwatched.push_back(pid);
  else
    CheckHolders(child);
}

// Whether it must be looked at again although nothing tells of it.
bool IsUnsure(const Child& child) { return child.undecided || !child.unwatched.empty(); }

void CheckMembers(Child& child) {
  const auto ended = [](const UniqueFd& process) { return sys::IsReady(process.get(), POLLIN); };
  for (const pid_t pid : std::exchange(child.unwatched, {})) AddMember(pid, child);
  if (std::erase_if(child.members, ended) > 0 || child.undecided) CheckHolders(child);
}

void Understand(std::string_view line, Child& child) {
  const size_t first = line.find(':');
  const size_t last = line.rfind(':');
  if (first == std::string_view::npos || first == last) return;
  const std::string_view command = line.substr(0, first);
  const std::string_view kind = line.substr(last + 1);
  const std::string name(line.substr(first + 1, last - first - 1));
  if (command == "MEMBER" && kind == "pid") AddMember(std::atoi(name.c_str()), child);
  if (kind != "semaphore" && kind != "shared_memory") return;
  const bool is_semaphore = kind == "semaphore";
  const Resource resource{is_semaphore ? ResourceKind::kSemaphore : ResourceKind::kSharedMemory,
                          name};
  if (command == "REGISTER") {
    Register(resource);
    if (is_semaphore) child.semaphores.insert(resource);
  } else if (command == "UNREGISTER") {
    Forget(resource);
    child.semaphores.erase(resource);
  }
}

// At the end of the child and all its descendants, closes the pipe.
void Read(Child& child) {
  char buffer[4096];
  for (;;) {
    const ssize_t n =
        sys::RetryOnInterrupt([&] { return ::read(child.pipe.get(), buffer, sizeof buffer); });
    if (n == -EAGAIN) return;
    if (n <= 0) break;
    child.unread.append(buffer, static_cast<size_t>(n));
    size_t begin = 0;
    for (size_t end; (end = child.unread.find('\n', begin)) != std::string::npos; begin = end + 1) {
      Understand(std::string_view(child.unread).substr(begin, end - begin), child);
    }
    child.unread.erase(0, begin);
    if (child.unread.size() > kLongestLine) child.unread.clear();
  }
  for (const Resource& semaphore : child.semaphores) {
    UnlinkResource(semaphore);
    Forget(semaphore);
  }
  child.pipe.Reset();
}

void* Run(void*) {
  Tracker& tracker = TheTracker();
  std::vector<std::unique_ptr<Child>> children;
  for (;;) {
    bool stopping = false;
    {
      const std::lock_guard lock(tracker.mutex);
      for (auto& child : tracker.added) children.push_back(std::move(child));
      tracker.added.clear();
      tracker.wake.Clear();
      stopping = tracker.stopping;
      if (children.empty() && !stopping) {
        // The next child starts another thread.
        tracker.running = false;
        tracker.wake.Close();
        ::pthread_detach(::pthread_self());
        return nullptr;
      }
    }
    std::erase_if(children, [](const auto& child) {
      if (child->pipe) Read(*child);
      // A process closes its descriptors before it has ended.
      CheckMembers(*child);
      return !child->pipe && child->members.empty() && !IsUnsure(*child);
    });
    if (stopping) return nullptr;
    if (children.empty()) continue;
    std::vector<pollfd> fds{{tracker.wake.fd(), POLLIN, 0}};
    for (const auto& child : children) {
      fds.push_back({child->pipe.get(), POLLIN, 0});
      for (const auto& member : child->members) fds.push_back({member.get(), POLLIN, 0});
    }
    const bool unsure = std::any_of(children.begin(), children.end(),
                                    [](const auto& child) { return IsUnsure(*child); });
    const int timeout = unsure ? static_cast<int>(kCheckInterval.count()) : -1;
    (void)sys::Poll(fds.data(), static_cast<nfds_t>(fds.size()), timeout);
  }
}

int StartIfNeeded(Tracker& tracker) {
  if (tracker.running) return 0;
  int status = tracker.wake.Open();
  if (status == 0) status = StartThread(&tracker.thread, "mp-resources", Run, nullptr);
  if (status < 0) tracker.wake.Close();
  tracker.running = status == 0;
  return status;
}

}  // namespace

int AddChild(std::vector<Given> given, UniqueFd* writer) {
  auto child = std::make_unique<Child>();
  child->given = std::move(given);
  int fds[2];
  int status = platform::MakePipe(fds);
  if (status < 0) return status;
  child->pipe.Reset(fds[0]);
  UniqueFd theirs(fds[1]);
  // No other process has the reading end.
  ::fcntl(child->pipe.get(), F_SETFL, O_NONBLOCK);
  Tracker& tracker = TheTracker();
  const std::lock_guard lock(tracker.mutex);
  status = StartIfNeeded(tracker);
  if (status < 0) return status;
  tracker.added.push_back(std::move(child));
  tracker.wake.Signal();
  *writer = std::move(theirs);
  return 0;
}

void Stop() {
  Tracker& tracker = TheTracker();
  {
    const std::lock_guard lock(tracker.mutex);
    tracker.stopping = tracker.running;
    if (!tracker.running) return;
    tracker.wake.Signal();
  }
  ::pthread_join(tracker.thread, nullptr);
  const std::lock_guard lock(tracker.mutex);
  tracker.running = tracker.stopping = false;
  tracker.wake.Close();
}

}  // namespace mp::resource_tracker
