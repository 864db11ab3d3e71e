// SPDX-License-Identifier: MIT
#include "../family.h"

#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "check.h"
#include "pairs.h"
#include "scripted.h"

namespace mp::test {
namespace {

using Member = std::unique_ptr<FamilyMember>;

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::string ReadText(const std::string& path) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char part[4096];
  for (ssize_t n; (n = ::read(fd.get(), part, sizeof part)) > 0;)
    text.append(part, static_cast<size_t>(n));
  return text;
}

void Append(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  Equal(::write(fd.get(), text.data(), text.size()), text.size());
}

std::string Line(std::string text) {
  text.resize(31, ' ');
  return text + '\n';
}

std::vector<std::string> Entries(const std::string& folder) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

// A real semaphore. A test that fails leaves none behind.
class Semaphore {
 public:
  explicit Semaphore(std::string name) : name_(std::move(name)) {
    sem_t* made = ::sem_open(name_.c_str(), O_CREAT | O_EXCL, 0600, 0U);
    Check(made != SEM_FAILED, "sem_open " + name_ + ": " + std::strerror(errno));
    ::sem_close(made);
  }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() { ::sem_unlink(name_.c_str()); }

  bool exists() const {
    sem_t* found = ::sem_open(name_.c_str(), 0);
    if (found != SEM_FAILED) ::sem_close(found);
    return found != SEM_FAILED;
  }

 private:
  const std::string name_;
};

// Where the tests' folders are: beside the semaphores, if the system has such a place.
class Scratch {
 public:
  Scratch() {
    if (::mkdtemp(path_) == nullptr) {
      std::strcpy(path_, "/tmp/mp-test-XXXXXX");
      Check(::mkdtemp(path_) != nullptr, "mkdtemp");
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    for (const std::string& name : Entries(folder())) ::remove((folder() + "/" + name).c_str());
    ::remove(folder().c_str());
    ::rmdir(path_);
  }
  // Not there yet.
  std::string folder() const { return path() + "/families"; }
  std::string path() const { return path_; }

 private:
  char path_[32] = "/dev/shm/mp-test-XXXXXX";
};

// One side of a conversation between processes, in messages of one size.
class Voice {
 public:
  explicit Voice(UniqueFd fd) : fd_(std::move(fd)) {}
  void Say(const std::string& text) {
    char message[32] = {};
    std::strncpy(message, text.c_str(), sizeof message - 1);
    Equal(::send(fd_.get(), message, sizeof message, 0), sizeof message, "say " + text);
  }
  // Empty at the end.
  std::string Hear() {
    char message[32] = {};
    const ssize_t n = sys::RetryOnInterrupt(
        [&] { return ::recv(fd_.get(), message, sizeof message, MSG_WAITALL); });
    return n == static_cast<ssize_t>(sizeof message) ? message : "";
  }
  void Expect(const std::string& text) { Equal(Hear(), text); }

 private:
  UniqueFd fd_;
};

// A forked process that runs `body(voice)`. It never runs destructors of what the test had.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) : Child(RawSocketPair(), body) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { Kill(); }

  pid_t pid() const { return pid_; }
  Voice* operator->() { return &voice_; }

  void Kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    Reap();
  }
  void End() { Equal(Reap(), 0, "the child's status"); }

 private:
  template <typename Body>
  Child(RawPair pair, Body body) : voice_(std::move(pair.reader)), pid_(::fork()) {
    if (pid_ != 0) return;
    int code = 0;
    try {
      Voice own(std::move(pair.writer));
      body(own);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "# in a child: %s\n", error.what());
      code = 1;
    }
    ::_exit(code);
  }
  int Reap() {
    int status = -1;
    sys::RetryOnInterrupt([&] { return ::waitpid(std::exchange(pid_, -1), &status, 0); });
    return status;
  }

  Voice voice_;
  pid_t pid_;
};

Member Created(const std::string& folder) {
  Member member;
  Equal(FamilyMember::Create(folder, &member), 0, "Create");
  return member;
}

Member Joined(const std::string& folder, const std::string& family) {
  Member member;
  Equal(FamilyMember::Join(folder, family, &member), 0, "Join");
  return member;
}

std::string Register(const FamilyMember& member) { return member.folder() + "/" + member.family(); }

// "family:names" of what was swept, in order.
std::string Swept(const std::string& folder) {
  std::vector<SweptFamily> swept;
  Equal(Sweep(folder, &swept), 0, "Sweep");
  std::set<std::string> all;
  for (const SweptFamily& one : swept) all.insert(one.family + ":" + Shown(one.names));
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : " ") + one;
  return text;
}

// A family with `count` names, whose only member was killed.
std::string Abandoned(const std::string& folder, uint32_t count = 0) {
  Child child([&](Voice& voice) {
    const Member member = Created(folder);
    for (uint32_t n = 0; n < count; n++) Equal(member->AddName(n), 0);
    voice.Say(member->family());
    voice.Hear();
  });
  return child->Hear();
}

// What the four ways of using a folder say about it.
void ExpectAll(const std::string& folder, int expected) {
  Member member;
  std::vector<SweptFamily> swept;
  Equal(FamilyMember::Create(folder, &member), expected, "Create");
  Equal(FamilyMember::Join(folder, "abc", &member), expected, "Join");
  const UniqueFd fd = AnyDescriptor();
  const int adopted = FamilyMember::Adopt(folder, "abc", UniqueFd(fd.get()), &member);
  Equal(adopted, expected, "Adopt");
  Equal(Sweep(folder, &swept), expected, "Sweep");
}

const Test kFolderMade("family: the folder is made for its owner alone", [] {
  const Scratch scratch;
  Member member;
  Equal(FamilyMember::Join(scratch.folder(), "abc", &member), -ENOENT);
  Equal(Swept(scratch.folder()), "");
  Check(!Exists(scratch.folder()));
  member = Created(scratch.folder());
  Equal(member->folder(), scratch.folder());
  struct stat info {};
  Equal(::lstat(scratch.folder().c_str(), &info), 0);
  Equal(info.st_mode, S_IFDIR | 0700);
  Equal(::lstat(Register(*member).c_str(), &info), 0);
  Equal(info.st_mode, S_IFREG | 0600);
  const std::string usual = FamilyFolder();
  Check(usual.ends_with("/mp-" + std::to_string(::geteuid())), usual);
});

const Test kFolderRefused("family: a folder that is a link, a file, too open or not ours", [] {
  const Scratch scratch;
  const std::string folder = scratch.folder();
  Equal(::symlink(scratch.path().c_str(), folder.c_str()), 0);
  ExpectAll(folder, -EPERM);
  ::unlink(folder.c_str());
  Append(folder, "a file");
  ExpectAll(folder, -EPERM);
  ::unlink(folder.c_str());
  for (const mode_t mode : {0710, 0740, 0701, 0755}) {
    ::mkdir(folder.c_str(), 0700);
    ::chmod(folder.c_str(), mode);
    ExpectAll(folder, -EPERM);
    struct stat info {};
    ::lstat(folder.c_str(), &info);
    Equal(info.st_mode, S_IFDIR | mode);
    ::rmdir(folder.c_str());
  }
  // Only root can give a folder away; nobody else owns the root folder.
  ::mkdir(folder.c_str(), 0700);
  const bool given = ::geteuid() == 0 && ::chown(folder.c_str(), 12345, 0) == 0;
  ExpectAll(given ? folder : "/", -EPERM);
});

const Test kNames("family: names", [] {
  const Scratch scratch;
  const Member one = Created(scratch.folder());
  const Member other = Created(scratch.folder());
  Check(one->family() != other->family());
#if defined(__linux__) && !defined(__GLIBC__)
  Equal(one->family().size(), 10U);
  Equal(one->family()[0], 'm');
#else
  Equal(one->family().size(), 9U);
#endif
  Equal(one->family().find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"), std::string::npos);
  const std::string prefix = "/mp-" + one->family() + "-";
  Equal(one->NameOf(0), prefix + "0");
  Equal(one->NameOf(35), prefix + "z");
  Equal(one->NameOf(36), prefix + "10");
  Equal(one->NameOf(UINT32_MAX), prefix + "1z141z3");
  Check(one->NameOf(UINT32_MAX).size() <= 30);
  Equal(one->HoldersPath(), scratch.folder() + "/" + one->family() + ".holders");
  Member member;
  for (const char* bad :
       {"", ".", "a.b", "../families/a", "A", "a b", "a\n", "12345678901234567"}) {
    Equal(FamilyMember::Join(scratch.folder(), bad, &member), -EINVAL, bad);
    Equal(FamilyMember::Adopt(scratch.folder(), bad, UniqueFd(one->fd()), &member), -EINVAL, bad);
  }
  Equal(FamilyMember::Join(scratch.folder(), "1234567890123456", &member), -ENOENT);
});

const Test kRegister("family: a name is one line of the register, and its line is used again", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  const std::string path = Register(*member);
  Equal(ReadText(path), "");
  Equal(member->AddName(1), 0);
  Equal(member->AddName(2), 0);
  Equal(member->AddName(1), 0);
  Equal(ReadText(path), Line(member->NameOf(1)) + Line(member->NameOf(2)));
  member->RemoveName(1);
  member->RemoveName(1);
  member->RemoveName(77);
  Equal(ReadText(path), Line("") + Line(member->NameOf(2)));
  // Another member does not take it, nor does it remove what it has not added.
  const Member other = Joined(scratch.folder(), member->family());
  Equal(other->AddName(3), 0);
  other->RemoveName(2);
  Equal(ReadText(path), Line("") + Line(member->NameOf(2)) + Line(member->NameOf(3)));
  for (uint32_t n = 10; n < 1000; n++) {
    Equal(member->AddName(n), 0);
    Equal(other->AddName(n + 1000), 0);
    member->RemoveName(n);
    other->RemoveName(n + 1000);
  }
  Equal(ReadText(path), Line("") + Line(member->NameOf(2)) + Line(member->NameOf(3)) + Line(""));
  member->Leave();
  Equal(member->AddName(5), -EBADF);
  member->RemoveName(2);
  Equal(ReadText(path), Line("") + Line(member->NameOf(2)) + Line(member->NameOf(3)) + Line(""));
});

// Adds the names from `first` on, and removes every third one again. The names are looked for
// afterwards: threads cannot use the checks, which are counted.
constexpr uint32_t kChurn = 300;
void Churn(FamilyMember& member, uint32_t first) {
  for (uint32_t n = first; n < first + kChurn; n++) {
    if (member.AddName(n) == 0 && n % 3 == 0) member.RemoveName(n);
  }
}

void ExpectChurned(const FamilyMember& member, uint32_t writers) {
  const std::string text = ReadText(Register(member));
  std::multiset<std::string> expected;
  for (uint32_t n = 0; n < writers * kChurn; n++)
    if (n % 3 != 0) expected.insert(Line(member.NameOf(n)));
  std::multiset<std::string> found;
  for (size_t at = 0; at < text.size(); at += 32)
    if (text.substr(at, 32) != Line("")) found.insert(text.substr(at, 32));
  Check(found == expected, "the register is not as expected");
}

const Test kWriters("family: members that write at the same time lose no line", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Child joined([&](Voice&) { Churn(*Joined(scratch.folder(), member->family()), 0); });
  Child adopted([&](Voice&) {
    Member own;
    const std::string& family = member->family();
    Equal(FamilyMember::Adopt(scratch.folder(), family, UniqueFd(member->fd()), &own), 0);
    Churn(*own, kChurn);
  });
  Churn(*member, 2 * kChurn);
  joined.End();
  adopted.End();
  ExpectChurned(*member, 3);
});

const Test kThreads("family: threads may share a member", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  std::thread one([&] { Churn(*member, 0); });
  std::thread other([&] { Churn(*member, kChurn); });
  one.join();
  other.join();
  ExpectChurned(*member, 2);
  bool last[2] = {};
  std::thread leaving([&] { last[0] = member->Leave(); });
  last[1] = member->Leave();
  leaving.join();
  Check(last[0] != last[1]);
});

const Test kTorn("family: a line not written whole is an error and spoils no other", [] {
  const Scratch scratch;
  Child child([&](Voice& voice) {
    const Member member = Created(scratch.folder());
    Equal(member->AddName(1), 0);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    // So much that the part looks like another name.
    const size_t part = member->NameOf(72).size() - 1;
    const rlimit tight{static_cast<rlim_t>(32 + part), before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    const int status = member->AddName(72);
    ::setrlimit(RLIMIT_FSIZE, &before);
    Equal(status, -ENOSPC);
    Equal(ReadText(Register(*member)), Line(member->NameOf(1)) + member->NameOf(2));
    Equal(member->AddName(3), 0);
    Equal(member->AddName(4), 0);
    member->RemoveName(3);
    Equal(member->AddName(5), 0);
    voice.Say(member->family());
    voice.Hear();
  });
  const std::string family = child->Hear();
  const std::string prefix = "/mp-" + family + "-";
  const Semaphore whole[] = {Semaphore(prefix + "1"), Semaphore(prefix + "4"),
                             Semaphore(prefix + "5")};
  const Semaphore partly(prefix + "2");
  child.Kill();
  Equal(Swept(scratch.folder()), family + ":3");
  for (const Semaphore& one : whole) Check(!one.exists());
  Check(partly.exists());
});

const Test kKilled("family: sweeping removes what the dead left, and nothing of the living", [] {
  const Scratch scratch;
  const Member alive = Created(scratch.folder());
  Equal(alive->AddName(1), 0);
  const Semaphore kept(alive->NameOf(1));
  Append(alive->HoldersPath(), "x");
  Child child([&](Voice& voice) {
    const Member member = Created(scratch.folder());
    for (uint32_t n = 1; n <= 3; n++) Equal(member->AddName(n), 0);
    voice.Say(member->family());
    voice.Hear();
  });
  const std::string family = child->Hear();
  const std::string prefix = "/mp-" + family + "-";
  const Semaphore one(prefix + "1");
  const Semaphore other(prefix + "3");
  const Semaphore unregistered(prefix + "4");
  Append(scratch.folder() + "/" + family + ".holders", "x");
  Equal(Swept(scratch.folder()), "");
  Check(one.exists());
  child.Kill();
  // The second of the three was never made, or is gone already.
  Equal(Swept(scratch.folder()), family + ":2");
  Check(!one.exists());
  Check(!other.exists());
  Check(unregistered.exists());
  Check(kept.exists());
  Equal(Entries(scratch.folder()).size(), 2U);
  Check(Exists(Register(*alive)));
  Check(Exists(alive->HoldersPath()));
  Equal(Swept(scratch.folder()), "");
  Check(alive->Leave());
  Check(!kept.exists());
  Equal(Entries(scratch.folder()).size(), 0U);
});

const Test kStopped("family: a stopped member is a member", [] {
  const Scratch scratch;
  Child child([&](Voice& voice) {
    const Member member = Created(scratch.folder());
    Equal(member->AddName(1), 0);
    voice.Say(member->family());
    voice.Expect("end");
    Check(member->Leave());
  });
  const std::string family = child->Hear();
  const Semaphore semaphore("/mp-" + family + "-1");
  ::kill(child.pid(), SIGSTOP);
  int status = 0;
  ::waitpid(child.pid(), &status, WUNTRACED);
  Check(WIFSTOPPED(status));
  Equal(Swept(scratch.folder()), "");
  Check(semaphore.exists());
  ::kill(child.pid(), SIGCONT);
  child->Say("end");
  child.End();
  Check(!semaphore.exists());
  Equal(Entries(scratch.folder()).size(), 0U);
});

const Test kLast("family: the last to leave removes everything, once", [] {
  const Scratch scratch;
  Member one = Created(scratch.folder());
  const Member other = Joined(scratch.folder(), one->family());
  Equal(one->AddName(1), 0);
  Equal(other->AddName(2), 0);
  const Semaphore first(one->NameOf(1));
  const Semaphore second(other->NameOf(2));
  Append(one->HoldersPath(), "x");
  Check(!one->Leave());
  Equal(one->fd(), -1);
  Check(!one->Leave());
  Check(first.exists());
  Equal(Swept(scratch.folder()), "");
  Check(other->Leave());
  Check(!other->Leave());
  Check(!first.exists());
  Check(!second.exists());
  Equal(Entries(scratch.folder()).size(), 0U);
  // A member that is destroyed leaves.
  one = Created(scratch.folder());
  Equal(Entries(scratch.folder()).size(), 1U);
  one.reset();
  Equal(Entries(scratch.folder()).size(), 0U);
});

const Test kInherited("family: a child with the inherited lock is a member until it leaves", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Equal(member->AddName(1), 0);
  const Semaphore semaphore(member->NameOf(1));
  Child child([&](Voice& voice) {
    const int number = member->fd();
    ::fcntl(number, F_SETFD, 0);
    Member own;
    const std::string& family = member->family();
    Equal(FamilyMember::Adopt(scratch.folder(), family, UniqueFd(number), &own), 0);
    Equal(own->fd(), number);
    Check(IsCloseOnExec(number));
    Equal(own->family(), family);
    voice.Say("adopted");
    voice.Expect("leave");
    Check(own->Leave());
  });
  child->Expect("adopted");
  Check(IsCloseOnExec(member->fd()));
  Check(!member->Leave());
  Equal(Swept(scratch.folder()), "");
  Check(semaphore.exists());
  child->Say("leave");
  child.End();
  Check(!semaphore.exists());
  Equal(Entries(scratch.folder()).size(), 0U);
});

const Test kChildFirst("family: a child that leaves does not take the lock from its parent", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Child child([&](Voice&) {
    Member own;
    const std::string& family = member->family();
    Equal(FamilyMember::Adopt(scratch.folder(), family, UniqueFd(member->fd()), &own), 0);
    Check(!own->Leave());
  });
  child.End();
  Equal(Swept(scratch.folder()), "");
  Check(member->Leave());
});

const Test kAdopt("family: what is not the register is neither adopted nor closed", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  const Member other = Created(scratch.folder());
  const RawPair pipe = RawPipe();
  Member out;
  for (const int number : {pipe.reader.get(), other->fd()}) {
    const int status =
        FamilyMember::Adopt(scratch.folder(), member->family(), UniqueFd(number), &out);
    Equal(status, -ESTALE);
    Check(IsOpen(number));
  }
  Equal(FamilyMember::Adopt(scratch.folder(), member->family(), UniqueFd(999), &out), -EBADF);
  Equal(FamilyMember::Adopt(scratch.folder(), "nobody", UniqueFd(member->fd()), &out), -ENOENT);
  ::unlink(Register(*member).c_str());
  const int number = member->fd();
  Equal(FamilyMember::Adopt(scratch.folder(), member->family(), UniqueFd(number), &out), -ENOENT);
  Check(!out);
  Check(IsOpen(number));
  Check(!member->Leave());
});

const Test kJoin("family: joining what is gone or no register", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Member out;
  Equal(FamilyMember::Join(scratch.folder(), "gone", &out), -ENOENT);
  Equal(::symlink(Register(*member).c_str(), (scratch.folder() + "/link").c_str()), 0);
  Equal(FamilyMember::Join(scratch.folder(), "link", &out), -EPERM);
  ::mkdir((scratch.folder() + "/folder").c_str(), 0700);
  Equal(FamilyMember::Join(scratch.folder(), "folder", &out), -EPERM);
  ::mkfifo((scratch.folder() + "/fifo").c_str(), 0600);
  Equal(FamilyMember::Join(scratch.folder(), "fifo", &out), -EPERM);
  if (::geteuid() == 0) {
    const std::string path = scratch.folder() + "/foreign";
    Append(path, "");
    Equal(::chown(path.c_str(), 12345, 0), 0);
    Equal(FamilyMember::Join(scratch.folder(), "foreign", &out), -EPERM);
  }
  // Nor is any of them swept.
  const size_t before = Entries(scratch.folder()).size();
  Equal(Swept(scratch.folder()), "");
  Equal(Entries(scratch.folder()).size(), before);
  Check(!out);
});

// Waits until the process waits for a flock; where that cannot be seen, for a while.
void AwaitBlocked(pid_t pid) {
  for (int i = 0; Exists("/proc/locks") || i < 50; i++) {
    const std::string locks = ReadText("/proc/locks");
    for (size_t at = 0; (at = locks.find("-> FLOCK", at)) != std::string::npos; at++) {
      const std::string line = locks.substr(at, locks.find('\n', at) - at);
      if (line.find(" " + std::to_string(pid) + " ") != std::string::npos) return;
    }
    const std::string state = ReadText("/proc/" + std::to_string(pid) + "/status");
    Check(state.find("State:\tZ") == std::string::npos, "the process has ended");
    ::usleep(1000);
  }
}

// Waits until no signal is pending for the process.
void AwaitDelivered(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/status";
  while (Exists(path) && ReadText(path).find("ShdPnd:\t0000000000000000") == std::string::npos)
    ::usleep(1000);
}

const Test kWaits("family: joining waits for a removal, then starts over", [] {
  for (const bool replaced : {false, true}) {
    const Scratch scratch;
    const std::string family = Abandoned(scratch.folder());
    const std::string path = scratch.folder() + "/" + family;
    UniqueFd remover(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    Child child([&](Voice& voice) {
      // The child must not keep the lock of this description alive.
      remover.Reset();
      struct sigaction action {};
      action.sa_handler = [](int) {};
      ::sigaction(SIGUSR1, &action, nullptr);
      voice.Say("ready");
      voice.Expect("go");
      Member member;
      Equal(FamilyMember::Join(scratch.folder(), family, &member), replaced ? 0 : -ENOENT);
      voice.Say("joined");
      voice.Expect("leave");
      if (replaced) Check(member->Leave());
    });
    child->Expect("ready");
    Equal(::flock(remover.get(), LOCK_EX | LOCK_NB), 0);
    child->Say("go");
    AwaitBlocked(child.pid());
    ::kill(child.pid(), SIGUSR1);
    AwaitDelivered(child.pid());
    AwaitBlocked(child.pid());
    ::unlink(path.c_str());
    if (replaced) Append(path, "");
    remover.Reset();
    child->Expect("joined");
    Equal(Swept(scratch.folder()), "");
    Equal(Exists(path), replaced);
    child->Say("leave");
    child.End();
    Check(!Exists(path));
  }
});

const Test kBusy("family: who is removing a family is not disturbed", [] {
  const Scratch scratch;
  const std::string family = Abandoned(scratch.folder(), 1);
  const UniqueFd other(::open((scratch.folder() + "/" + family).c_str(), O_RDONLY | O_CLOEXEC));
  Equal(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  Equal(Swept(scratch.folder()), "");
  Check(Exists(scratch.folder() + "/" + family));
});

const Test kCorrupt("family: a register can make nobody remove what is not the family's", [] {
  const Scratch scratch;
  const Member alive = Created(scratch.folder());
  const std::string family = Abandoned(scratch.folder(), 1);
  const std::string path = scratch.folder() + "/" + family;
  const std::string prefix = "/mp-" + family + "-";
  const Semaphore others[] = {Semaphore(alive->NameOf(1)),
                              Semaphore("/mp-" + family),
                              Semaphore(prefix),
                              Semaphore(prefix + "A"),
                              Semaphore(prefix + "1.2"),
                              Semaphore(prefix + "1 2"),
                              Semaphore(prefix + "short"),
                              Semaphore(prefix + "end"),
                              Semaphore("/x" + prefix.substr(1) + "1")};
  const Semaphore first(prefix + "0");
  const Semaphore last(prefix + "zz");
  std::string text;
  for (const std::string& name : {alive->NameOf(1), "/mp-" + family, prefix, prefix + "A"})
    text += Line(name);
  text += Line(prefix + "1.2") + Line(prefix + "1 2") + prefix + "short\n";
  text += Line("/x" + prefix.substr(1) + "1") + Line(" " + prefix + "0");
  text += Line("../" + family) + std::string(5000, 'x') + "\n\n\n" + std::string(40, '\0') + "\n";
  text += Line(prefix + "zz") + Line(prefix + "end").substr(0, 31);
  Append(path, text);
  Equal(Swept(scratch.folder()), family + ":2");
  Check(!first.exists());
  Check(!last.exists());
  for (const Semaphore& other : others) Check(other.exists());
  Check(!Exists(path));
  Check(Exists(Register(*alive)));
});

const Test kHuge("family: a register is read up to 4 MiB", [] {
  const Scratch scratch;
  const std::string family = Abandoned(scratch.folder(), 1);
  const std::string path = scratch.folder() + "/" + family;
  const std::string prefix = "/mp-" + family + "-";
  const Semaphore first(prefix + "0");
  const Semaphore within(prefix + "1");
  const Semaphore beyond(prefix + "2");
  constexpr off_t kLimit = 4 * 1024 * 1024;
  Equal(::truncate(path.c_str(), kLimit - 32), 0);
  Append(path, Line(prefix + "1") + Line(prefix + "2"));
  Equal(::truncate(path.c_str(), 1LL << 40), 0);
  Equal(Swept(scratch.folder()), family + ":2");
  Check(!first.exists());
  Check(!within.exists());
  Check(beyond.exists());
});

const Test kOtherFiles("family: sweeping leaves alone what is not a family's", [] {
  const Scratch scratch;
  const std::string folder = scratch.folder();
  const Member alive = Created(folder);
  Append(alive->HoldersPath(), "x");
  for (const char* name : {"gone.holders", "Gone.holders", "gone.other", "Gone", "a_b"})
    Append(folder + "/" + name, "x");
  Equal(Swept(folder), "");
  const std::vector<std::string> kept = Entries(folder);
  Equal(kept.size(), 6U);
  Check(!Exists(folder + "/gone.holders"));
});

#ifdef __linux__
const Test kOtherLibrary("family: semaphores of the other C library are removed too", [] {
#ifdef __GLIBC__
  const std::string start = "/dev/shm/";
#else
  const std::string start = "/dev/shm/sem.";
#endif
  const Scratch scratch;
  const std::string family = Abandoned(scratch.folder(), 1);
  const std::string path = start + "mp-" + family + "-0";
  Append(path, "x");
  Equal(Swept(scratch.folder()), family + ":1");
  Check(!Exists(path));
  ::unlink(path.c_str());
});
#endif

const Test kStandardStreams("family: a member's descriptors are no standard streams", [] {
  const Scratch scratch;
  Child child([&](Voice&) {
    for (const int number : {0, 1, 2}) ::close(number);
    const Member member = Created(scratch.folder());
    Check(member->fd() > 2);
    Check(IsCloseOnExec(member->fd()));
    for (const int number : {0, 1, 2}) Check(!IsOpen(number));
  });
  child.End();
});

const Test kReplaced("family: a register that was replaced is not taken for the new one", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  const std::string path = Register(*member);
  Child child([&](Voice& voice) {
    voice.Say("sweeping");
    for (;;) Equal(Swept(scratch.folder()), "");
  });
  child->Expect("sweeping");
  // From now on the lock of the newest file is all that keeps the family from being swept.
  UniqueFd held;
  for (int i = 0; i < 2000; i++) {
    const std::string next = path + ".new";
    UniqueFd made(::open(next.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    Equal(::flock(made.get(), LOCK_SH), 0);
    Equal(::rename(next.c_str(), path.c_str()), 0);
    held = std::move(made);
    ::sched_yield();
    Check(Exists(path), "round " + Shown(i));
  }
});

const Test kRaces("family: no family is lost to others that sweep all the time", [] {
  const Scratch scratch;
  const auto body = [&](Voice& voice) {
    voice.Expect("go");
    const auto rounds = static_cast<uint32_t>(Setting("FAMILY_ROUNDS", 200));
    for (uint32_t n = 0; n < rounds; n++) {
      const Member member = Created(scratch.folder());
      Equal(member->AddName(n), 0);
      const Semaphore semaphore(member->NameOf(n));
      std::vector<SweptFamily> swept;
      Equal(Sweep(scratch.folder(), &swept), 0);
      for (const SweptFamily& one : swept) Check(one.family != member->family(), "swept itself");
      Check(semaphore.exists(), "the semaphore was removed");
      struct stat at_path {};
      struct stat opened {};
      Equal(::lstat(Register(*member).c_str(), &at_path), 0, "the register was removed");
      Equal(::fstat(member->fd(), &opened), 0);
      Equal(at_path.st_ino, opened.st_ino);
    }
  };
  Child one(body);
  Child other(body);
  one->Say("go");
  other->Say("go");
  one.End();
  other.End();
  // Who left while the other one swept was not the last.
  Swept(scratch.folder());
  Equal(Entries(scratch.folder()).size(), 0U);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
