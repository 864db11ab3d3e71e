// SPDX-License-Identifier: MIT
//
// Temporary folders of registers, and processes that are members of families.
#pragma once

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
#include "registers/family_register.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"
#include "scripted.h"

namespace mp::test {

using Member = std::unique_ptr<FamilyRegister>;

inline bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

inline std::string ReadText(const std::string& path) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char part[4096];
  for (ssize_t n; (n = ::read(fd.get(), part, sizeof part)) > 0;)
    text.append(part, static_cast<size_t>(n));
  return text;
}

inline void Append(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  Equal(::write(fd.get(), text.data(), text.size()), text.size());
}

inline std::string Line(std::string text) {
  text.resize(31, ' ');
  return text + '\n';
}

inline std::vector<std::string> Entries(const std::string& folder) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

// A real semaphore. Its name is removed even if the test fails.
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

// A temporary folder: beside the semaphores, if the system has a folder for those.
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
  // Does not exist at first.
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

// A forked process that runs `body(voice)`. It never runs destructors of the test's objects.
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
  Equal(FamilyRegister::Create(folder, &member), 0, "Create");
  return member;
}

Member Joined(const std::string& folder, const std::string& family) {
  Member member;
  Equal(FamilyRegister::Join(folder, family, &member), 0, "Join");
  return member;
}

inline std::string Register(const FamilyRegister& member) {
  return member.folder() + "/" + member.family();
}

// "family:names" of what was swept, in order.
inline std::string Swept(const std::string& folder) {
  std::vector<SweptFamily> swept;
  Equal(Sweep(folder, &swept), 0, "Sweep");
  std::set<std::string> all;
  for (const SweptFamily& one : swept) all.insert(one.family + ":" + Shown(one.names));
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : " ") + one;
  return text;
}

// A family with `count` names, whose only member was killed.
inline std::string Abandoned(const std::string& folder, uint32_t count = 0) {
  Child child([&](Voice& voice) {
    const Member member = Created(folder);
    for (uint32_t n = 0; n < count; n++) Equal(member->AddName(n), 0);
    voice.Say(member->family());
    voice.Hear();
  });
  return child->Hear();
}

// Checks what the four ways of using a folder return.
inline void ExpectAll(const std::string& folder, int expected) {
  Member member;
  std::vector<SweptFamily> swept;
  Equal(FamilyRegister::Create(folder, &member), expected, "Create");
  Equal(FamilyRegister::Join(folder, "abc", &member), expected, "Join");
  const UniqueFd fd = AnyDescriptor();
  const int adopted = FamilyRegister::Adopt(folder, "abc", UniqueFd(fd.get()), &member);
  Equal(adopted, expected, "Adopt");
  Equal(Sweep(folder, &swept), expected, "Sweep");
}

}  // namespace mp::test
