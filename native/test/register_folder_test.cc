// SPDX-License-Identifier: MIT
//
// What removing a family does, what no content of a register can make it do, and listing families.
#include "families.h"

namespace mp::test {
namespace {

const Test kBusy("family: a family that another process is removing is left alone", [] {
  const Scratch scratch;
  const std::string family = Abandoned(scratch.folder(), 1);
  const UniqueFd other(::open((scratch.folder() + "/" + family).c_str(), O_RDONLY | O_CLOEXEC));
  Equal(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  Equal(Swept(scratch.folder()), "");
  Check(Exists(scratch.folder() + "/" + family));
});

const Test kCorrupt("family: no content of a register removes what is not the family's", [] {
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

const Test kOtherFiles("family: sweeping leaves other files alone", [] {
  const Scratch scratch;
  const std::string folder = scratch.folder();
  const Member alive = Created(folder);
  Append(alive->HoldersPath(), "x");
  for (const char* name : {"gone.holders", "gone.queue.1a", "Gone.holders", "Gone.queue.1a",
                           "gone.other", "Gone", "a_b"})
    Append(folder + "/" + name, "x");
  Equal(Swept(folder), "");
  const std::vector<std::string> kept = Entries(folder);
  Equal(kept.size(), 7U);
  Check(!Exists(folder + "/gone.holders"));
  Check(!Exists(folder + "/gone.queue.1a"));
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

const Test kStandardStreams(
    "family: a member's descriptors never have the number of a standard stream", [] {
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

const Test kReplaced("family: a register that was replaced is not mistaken for the new one", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  const std::string path = Register(*member);
  Child child([&](Voice& voice) {
    voice.Say("sweeping");
    for (;;) Equal(Swept(scratch.folder()), "");
  });
  child->Expect("sweeping");
  // From now on only the lock of the newest file keeps the family from being swept.
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

const Test kRaces("family: no family is lost to processes that sweep all the time", [] {
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
  // A process that left while the other one swept may have left its family to the next sweep.
  Swept(scratch.folder());
  Equal(Entries(scratch.folder()).size(), 0U);
});

// "family name:exists ..." of what a register lists.
std::string Listed(const std::string& folder, const std::string& family) {
  std::vector<RegisteredName> names;
  Equal(ReadRegister(folder, family, &names), 0, "ReadRegister");
  std::string text = family;
  for (const RegisteredName& each : names) text += " " + each.name + ":" + Shown(each.exists);
  return text;
}

const Test kListed("family: listing shows the families, their names, and which of these exist", [] {
  const Scratch scratch;
  std::vector<std::string> families;
  Equal(ListFamilies(scratch.folder(), &families), 0);
  Check(families.empty(), "without a folder");
  const Member member = Created(scratch.folder());
  const std::string family = member->family();
  for (uint32_t n = 1; n <= 2; n++) Equal(member->AddName(n), 0);
  const Semaphore semaphore(member->NameOf(2));
  Append(Register(*member), Line("/mp-other-1") + Line(member->NameOf(2)));
  Append(member->HoldersPath(), "x");
  Append(scratch.folder() + "/Other", "x");
  Equal(ListFamilies(scratch.folder(), &families), 0);
  Equal(families.size(), 1u);
  Equal(families[0], family);
#ifdef __linux__
  const std::string first = "false ";
#else
  const std::string first = "true ";
#endif
  Equal(Listed(scratch.folder(), family),
        family + " " + member->NameOf(1) + ":" + first + member->NameOf(2) + ":true");
  std::vector<RegisteredName> names;
  Equal(ReadRegister(scratch.folder(), "gone", &names), -ENOENT);
  Equal(ReadRegister(scratch.folder(), "../" + family, &names), -EINVAL);
  Check(names.empty());
});

const Test kListingChangesNothing("family: listing takes no lock and becomes no member", [] {
  const Scratch scratch;
  const std::string family = Abandoned(scratch.folder(), 1);
  const UniqueFd other(::open((scratch.folder() + "/" + family).c_str(), O_RDONLY | O_CLOEXEC));
  Equal(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  std::vector<std::string> families;
  Equal(ListFamilies(scratch.folder(), &families), 0);
  Equal(families.size(), 1u);
  Check(Listed(scratch.folder(), family).size() > family.size());
});

#ifdef __linux__
const Test kMembers("family: the members of families are found, but for this process", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  std::vector<std::pair<std::string, pid_t>> members;
  Equal(ListMembers(scratch.folder(), &members), 0);
  Check(members.empty());
  Child child([&](Voice& voice) {
    const Member own = Joined(scratch.folder(), member->family());
    voice.Say("joined");
    voice.Hear();
  });
  child->Expect("joined");
  Equal(ListMembers(scratch.folder(), &members), 0);
  Equal(members.size(), 1u);
  Equal(members[0].first, member->family());
  Equal(members[0].second, child.pid());
});
#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
