// SPDX-License-Identifier: MIT
//
// The folder of registers, and the lines of a register.
#include "families.h"

namespace mp::test {
namespace {

const Test kFolderMade("family: the folder is accessible to its owner only", [] {
  const Scratch scratch;
  Member member;
  Equal(FamilyRegister::Join(scratch.folder(), "abc", &member), -ENOENT);
  Equal(Swept(scratch.folder()), "");
  Check(!Exists(scratch.folder()));
  member = Created(scratch.folder());
  Equal(member->folder(), scratch.folder());
  struct stat info {};
  Equal(::lstat(scratch.folder().c_str(), &info), 0);
  Equal(info.st_mode, S_IFDIR | 0700);
  Equal(::lstat(Register(*member).c_str(), &info), 0);
  Equal(info.st_mode, S_IFREG | 0600);
  const std::string usual = UsualFolder();
  Check(usual.ends_with("/mp-" + std::to_string(::geteuid())), usual);
});

const Test kFolderRefused(
    "family: a folder is refused if it is a link, a file, open to others or another user's", [] {
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
      // Only root can change the owner of a folder. Other users do not own the root folder.
      ::mkdir(folder.c_str(), 0700);
      const bool given = ::geteuid() == 0 && ::chown(folder.c_str(), 12345, 0) == 0;
      ExpectAll(given ? folder : "/", -EPERM);
    });

const Test kNames("family: the names of families and of their semaphores", [] {
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
    Equal(FamilyRegister::Join(scratch.folder(), bad, &member), -EINVAL, bad);
    Equal(FamilyRegister::Adopt(scratch.folder(), bad, UniqueFd(one->fd()), &member), -EINVAL, bad);
  }
  Equal(FamilyRegister::Join(scratch.folder(), "1234567890123456", &member), -ENOENT);
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
  // Another member does not use the free line, nor does it remove a name that it has not added.
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

const Test kLabels("family: a label follows its name, if the line has room for it", [] {
  const Scratch scratch;
  const Member member = Created(scratch.folder());
  Equal(member->AddName(1, "q0"), 0);
  Equal(member->AddName(2, std::string(32, 'x')), 0);
  Equal(ReadText(Register(*member)), Line(member->NameOf(1) + " q0") + Line(member->NameOf(2)));
  std::vector<RegisteredName> names;
  Equal(ReadRegister(scratch.folder(), member->family(), &names), 0);
  Equal(names.size(), 2u);
  Equal(names[0].name, member->NameOf(1));
  Equal(names[0].label, "q0");
  Equal(names[1].name, member->NameOf(2));
  Equal(names[1].label, "");
  // The line is used again, and nothing remains of the label.
  member->RemoveName(1);
  Equal(member->AddName(3), 0);
  Equal(ReadText(Register(*member)), Line(member->NameOf(3)) + Line(member->NameOf(2)));
});

// Adds the names from `first` on, and removes every third one again. The result is checked
// afterwards: threads cannot use the checks, which are counted.
constexpr uint32_t kChurn = 300;
void Churn(FamilyRegister& member, uint32_t first) {
  for (uint32_t n = first; n < first + kChurn; n++) {
    if (member.AddName(n) == 0 && n % 3 == 0) member.RemoveName(n);
  }
}

void ExpectChurned(const FamilyRegister& member, uint32_t writers) {
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
    Equal(FamilyRegister::Adopt(scratch.folder(), family, UniqueFd(member->fd()), &own), 0);
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

const Test kPartialLine(
    "family: a line that was not written whole is an error and affects no other line", [] {
      const Scratch scratch;
      Child child([&](Voice& voice) {
        const Member member = Created(scratch.folder());
        Equal(member->AddName(1), 0);
        rlimit before{};
        ::getrlimit(RLIMIT_FSIZE, &before);
        // The part that is written looks like another name.
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

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
