// SPDX-License-Identifier: MIT
//
// Membership of a family: joining, inheriting, leaving, and being killed.
#include "families.h"

namespace mp::test {
namespace {

const Test kKilled("family: sweeping removes what killed members left, and nothing of living ones",
                   [] {
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
                     // The second of the three semaphores was not created.
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

const Test kLast("family: the last member to leave removes everything, once", [] {
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
    Equal(FamilyRegister::Adopt(scratch.folder(), family, UniqueFd(number), &own), 0);
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
    Equal(FamilyRegister::Adopt(scratch.folder(), family, UniqueFd(member->fd()), &own), 0);
    Check(!own->Leave());
  });
  child.End();
  Equal(Swept(scratch.folder()), "");
  Check(member->Leave());
});

const Test kAdopt("family: a descriptor of another file is neither adopted nor closed", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  const Member other = Created(scratch.folder());
  const RawPair pipe = RawPipe();
  Member out;
  for (const int number : {pipe.reader.get(), other->fd()}) {
    const int status =
        FamilyRegister::Adopt(scratch.folder(), member->family(), UniqueFd(number), &out);
    Equal(status, -ESTALE);
    Check(IsOpen(number));
  }
  Equal(FamilyRegister::Adopt(scratch.folder(), member->family(), UniqueFd(999), &out), -EBADF);
  Equal(FamilyRegister::Adopt(scratch.folder(), "missing", UniqueFd(member->fd()), &out), -ENOENT);
  ::unlink(Register(*member).c_str());
  const int number = member->fd();
  Equal(FamilyRegister::Adopt(scratch.folder(), member->family(), UniqueFd(number), &out), -ENOENT);
  Check(!out);
  Check(IsOpen(number));
  Check(!member->Leave());
});

const Test kJoin("family: joining a family that is gone, or by a file that is no register", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Member out;
  Equal(FamilyRegister::Join(scratch.folder(), "gone", &out), -ENOENT);
  Equal(::symlink(Register(*member).c_str(), (scratch.folder() + "/link").c_str()), 0);
  Equal(FamilyRegister::Join(scratch.folder(), "link", &out), -EPERM);
  ::mkdir((scratch.folder() + "/folder").c_str(), 0700);
  Equal(FamilyRegister::Join(scratch.folder(), "folder", &out), -EPERM);
  ::mkfifo((scratch.folder() + "/fifo").c_str(), 0600);
  Equal(FamilyRegister::Join(scratch.folder(), "fifo", &out), -EPERM);
  if (::geteuid() == 0) {
    const std::string path = scratch.folder() + "/foreign";
    Append(path, "");
    Equal(::chown(path.c_str(), 12345, 0), 0);
    Equal(FamilyRegister::Join(scratch.folder(), "foreign", &out), -EPERM);
  }
  // Nor is any of them swept.
  const size_t before = Entries(scratch.folder()).size();
  Equal(Swept(scratch.folder()), "");
  Equal(Entries(scratch.folder()).size(), before);
  Check(!out);
});

// Waits until the process waits for a flock. Where the system does not show that, waits for a
// while.
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
      Equal(FamilyRegister::Join(scratch.folder(), family, &member), replaced ? 0 : -ENOENT);
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

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
