// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "os/platform.h"
#include "os/processes.h"
#include "os/sys.h"
#include "os/thread.h"
#include "os/unique_fd.h"

namespace mp::platform {

namespace {

// The text of a small file of /proc, ended by a zero byte. Its size, or -errno; 0 and -ESRCH also
// mean that the process has just ended.
template <size_t N>
ssize_t ReadText(const char* path, char (&text)[N]) noexcept {
  const UniqueFd fd(
      static_cast<int>(sys::RetryOnInterrupt([&] { return ::open(path, O_RDONLY | O_CLOEXEC); })));
  if (fd.get() < 0) return fd.get();
  const ssize_t size = sys::RetryOnInterrupt([&] { return ::read(fd.get(), text, N - 1); });
  text[size < 0 ? 0 : size] = 0;
  return size;
}

bool MeansEnded(ssize_t status) noexcept {
  return status == 0 || status == -ENOENT || status == -ESRCH;
}

// When a process was started, and whether it has ended. Its first thread may be a zombie while
// others still run, and even a killed thread completes the system call that it is in. False if
// there is no such process.
bool ReadProcess(uint32_t pid, bool* ended, uint64_t* start) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%u/stat", pid);
  char text[1024];
  const ssize_t size = ReadText(path, text);
  if (size <= 0) return !MeansEnded(size);
  // The name in parentheses may contain anything, so the fields are counted from its end.
  const char* field = std::strrchr(text, ')');
  if (field == nullptr || field[1] == 0) return true;
  field += 2;
  const bool is_zombie = *field == 'Z' || *field == 'X';
  for (int i = 3; i < 22 && field != nullptr; i++) {
    if (i == 20) *ended = is_zombie && std::atoi(field) <= 1;
    field = std::strchr(field, ' ');
    if (field != nullptr) field++;
  }
  if (field != nullptr) *start = std::strtoull(field, nullptr, 10);
  return true;
}

// Empty if the link has gone, or must not be read.
template <size_t N>
const char* ReadLink(const char* path, char (&target)[N]) noexcept {
  const ssize_t size = ::readlink(path, target, N - 1);
  target[size < 0 ? 0 : size] = 0;
  return target;
}

uint64_t PidNamespace() noexcept {
  char target[64];
  const char* number = std::strchr(ReadLink("/proc/self/ns/pid", target), '[');
  return number == nullptr ? 0 : std::strtoull(number + 1, nullptr, 10);
}

ProcessIdentity IdentifyThisProcess() noexcept {
  ProcessIdentity self;
  self.pid = static_cast<uint32_t>(::getpid());
  self.pid_namespace = PidNamespace();
  bool ended = false;
  ReadProcess(self.pid, &ended, &self.start);
  return self;
}

}  // namespace

ProcessIdentity ThisProcess() noexcept {
  static const ProcessIdentity self = IdentifyThisProcess();
  // A child of fork() inherits the parent's memory, and with it the parent's identity. Without a
  // free descriptor the identity was not read in full, which a later call may do.
  const bool is_own = self.pid == static_cast<uint32_t>(::getpid());
  return is_own && self.start != 0 ? self : IdentifyThisProcess();
}

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace {

// Threads that wait for children, where no descriptor stands for a process. Leaked on purpose: they
// may still run when static destructors do.
struct Watches {
  std::mutex mutex;
  std::map<pid_t, UniqueFd> readers;  // Of pipes whose write ends are closed at the child's end.
};

Watches& AllWatches() {
  static auto& watches = *new Watches;
  return watches;
}

struct Watch {
  pid_t pid;
  UniqueFd writer;
};

// Leaves the child to be reaped by libuv. If it was reaped already, it has ended as well.
void* WaitForEnd(void* argument) {
  const std::unique_ptr<Watch> watch(static_cast<Watch*>(argument));
  siginfo_t info{};
  (void)sys::RetryOnInterrupt(
      [&] { return ::waitid(P_PID, static_cast<id_t>(watch->pid), &info, WEXITED | WNOWAIT); });
  const std::lock_guard lock(AllWatches().mutex);
  AllWatches().readers.erase(watch->pid);
  return nullptr;
}

// One thread for each child, however often it is opened.
int WatchProcess(pid_t pid) noexcept {
  const std::lock_guard lock(AllWatches().mutex);
  auto& readers = AllWatches().readers;
  if (const auto known = readers.find(pid); known != readers.end()) {
    return sys::Duplicate(known->second.get());
  }
  int ends[2];
  int status = MakePipe(ends);
  if (status < 0) return status;
  UniqueFd reader(ends[0]);
  std::unique_ptr<Watch> watch(new Watch{pid, UniqueFd(ends[1])});
  UniqueFd copy(sys::Duplicate(reader.get()));
  if (copy.get() < 0) return copy.get();
  pthread_t thread;
  status = StartThread(&thread, "mp-child", WaitForEnd, watch.get());
  if (status < 0) return status;
  ::pthread_detach(thread);
  (void)watch.release();
  readers.emplace(pid, std::move(reader));
  return copy.Release();
}

}  // namespace

// Close-on-exec from birth. It must not take the number of a closed standard stream.
int OpenProcess(pid_t pid) noexcept {
  const long fd = sys::RetryOnInterrupt([=] { return ::syscall(SYS_pidfd_open, pid, 0); });
  if (sys::IsRefused(fd)) return WatchProcess(pid);
  if (fd < 0 || fd > STDERR_FILENO) return static_cast<int>(fd);
  const UniqueFd low(static_cast<int>(fd));
  return sys::Duplicate(low.get());
}

bool IsDead(const ProcessIdentity& process) noexcept {
  const ProcessIdentity self = ThisProcess();
  // An identity that is not known in full proves nothing.
  if (process.pid == 0 || process.start == 0 || process.pid_namespace == 0 ||
      process.pid_namespace != self.pid_namespace) {
    return false;
  }
  if (process.pid == self.pid && process.start == self.start) return false;
  bool ended = false;
  uint64_t start = 0;
  if (!ReadProcess(process.pid, &ended, &start)) return true;
  return ended || (start != 0 && start != process.start);
}

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Calls visit(number) for every entry of a directory whose name is a number. 0 or -errno.
template <typename Visit>
int ForEachNumber(const char* path, Visit visit) {
  const Directory directory(::opendir(path));
  if (!directory) return -errno;
  while (const dirent* entry = ::readdir(directory.get())) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == 0) visit(static_cast<int>(number));
  }
  return 0;
}

// A /proc of another pid namespace lists other processes under the same numbers.
bool KnowsThisProcess() noexcept {
  char target[32];
  return std::atoi(ReadLink("/proc/self", target)) == ::getpid();
}

}  // namespace

int VisitDescriptors(DescriptorVisitor visit, void* context) {
  if (!KnowsThisProcess()) return -ENOSYS;
  return ForEachNumber("/proc", [=](int pid) {
    if (pid == ::getpid()) return;
    char folder[32];
    std::snprintf(folder, sizeof folder, "/proc/%d/fd", pid);
    // A process that has ended, and one of another user, is passed over.
    (void)ForEachNumber(folder, [&](int fd) {
      char path[64];
      std::snprintf(path, sizeof path, "%s/%d", folder, fd);
      char target[256];
      if (*ReadLink(path, target) != 0) visit(context, pid, fd, target);
    });
  });
}

namespace {

// The inodes of connected Unix sockets, and of those at their other ends.
using Peers = std::map<unsigned, unsigned>;

void AddPeer(nlmsghdr* header, Peers* peers) {
  const auto* socket = static_cast<unix_diag_msg*>(NLMSG_DATA(header));
  auto length = static_cast<int>(NLMSG_PAYLOAD(header, sizeof *socket));
  for (auto* found = reinterpret_cast<rtattr*>(const_cast<unix_diag_msg*>(socket) + 1);
       RTA_OK(found, length); found = RTA_NEXT(found, length)) {
    if (found->rta_type != UNIX_DIAG_PEER) continue;
    (*peers)[socket->udiag_ino] = *static_cast<unsigned*>(RTA_DATA(found));
  }
}

// The kernel tells the two ends of a socket pair in its diagnosis of sockets alone, not in /proc.
// Where it has none, or a filter of system calls refuses it, nothing is known.
Peers PeersOfSockets() {
  Peers peers;
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  struct {
    nlmsghdr header;
    unix_diag_req wanted;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.wanted.sdiag_family = AF_UNIX;
  request.wanted.udiag_states = ~0U;
  request.wanted.udiag_show = UDIAG_SHOW_PEER;
  if (fd.get() < 0 || ::send(fd.get(), &request, sizeof request, 0) < 0) return peers;
  alignas(nlmsghdr) char answer[32 * 1024];
  for (;;) {
    auto size = sys::RetryOnInterrupt([&] { return ::recv(fd.get(), answer, sizeof answer, 0); });
    if (size <= 0) return peers;
    for (auto* header = reinterpret_cast<nlmsghdr*>(answer); NLMSG_OK(header, size);
         header = NLMSG_NEXT(header, size)) {
      if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return peers;
      AddPeer(header, &peers);
    }
  }
}

// The object at the other end of an object, or nothing.
std::string PeerOf(const std::string& object, const Peers& peers) {
  constexpr char kSocket[] = "socket:[";
  if (object.rfind(kSocket, 0) != 0) return {};
  const auto inode = std::strtoul(object.c_str() + std::strlen(kSocket), nullptr, 10);
  const auto found = peers.find(static_cast<unsigned>(inode));
  return found == peers.end() ? "" : kSocket + std::to_string(found->second) + "]";
}

}  // namespace

int ListDescriptors(std::vector<HeldDescriptor>* out) {
  const Peers peers = PeersOfSockets();
  std::map<pid_t, std::string> programs;
  return ForEachDescriptor([&](pid_t pid, int fd, const char* target) {
    char path[64];
    char text[256];
    std::string& program = programs[pid];
    if (program.empty()) {
      std::snprintf(path, sizeof path, "/proc/%d/comm", pid);
      if (ReadText(path, text) > 0) program.assign(text, std::strcspn(text, "\n"));
    }
    std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    if (ReadText(path, text) <= 0) return;
    const char* flags = std::strstr(text, "flags:");
    if (flags == nullptr) return;
    const auto mode = static_cast<int>(std::strtol(flags + std::strlen("flags:"), nullptr, 8));
    out->push_back({pid, fd, mode, target, program, PeerOf(target, peers)});
  });
}

void VisitLibraries(LibraryVisitor visit, void* context) {
  const std::pair<LibraryVisitor, void*> call(visit, context);
  const auto each = [](dl_phdr_info* library, size_t, void* data) {
    const auto& [visitor, its_context] =
        *static_cast<const std::pair<LibraryVisitor, void*>*>(data);
    visitor(its_context, library->dlpi_name);
    return 0;
  };
  ::dl_iterate_phdr(each, const_cast<std::pair<LibraryVisitor, void*>*>(&call));
}

}  // namespace mp::platform
