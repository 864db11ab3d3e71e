// SPDX-License-Identifier: MIT
//
// What Python processes have made, in the register of their family.
#include "registers/resource.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "families.h"

namespace mp::test {
namespace {

// Shared memory that is removed with the object, unless that has happened already.
class Memory {
 public:
  Memory() : resource_(ResourceKind::kSharedMemory, "/mp-test-" + std::to_string(::getpid())) {
    Make();
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { UnlinkResource(resource_); }

  const Resource& resource() const { return resource_; }
  void Make() {
    const UniqueFd fd(::shm_open(resource_.second.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    Check(static_cast<bool>(fd), "shm_open");
  }
  bool Exists() const {
    return static_cast<bool>(UniqueFd(::shm_open(resource_.second.c_str(), O_RDONLY, 0)));
  }

 private:
  const Resource resource_;
};

// A family that lists the memory, whose only member was killed.
void Abandon(const std::string& folder, const Memory& memory) {
  Child child([&](Voice& voice) {
    const Member member = Created(folder);
    Equal(member->AddName(1), 0);
    Equal(member->AddResource(memory.resource()), 0);
    Equal(member->AddName(2), 0);
    voice.Say("added");
    voice.Hear();
  });
  child->Expect("added");
}

const Test kRemoved("resource: what a killed member has registered is removed with its family", [] {
  const Scratch scratch;
  const Memory memory;
  Abandon(scratch.folder(), memory);
  Check(memory.Exists());
  std::vector<SweptFamily> swept;
  Equal(Sweep(scratch.folder(), &swept), 0);
  Equal(swept.size(), 1U);
  Check(!memory.Exists());
});

const Test kReplaced("resource: what has the name of another one by now stays", [] {
  const Scratch scratch;
  Memory memory;
  Abandon(scratch.folder(), memory);
  UnlinkResource(memory.resource());
  memory.Make();
  std::vector<SweptFamily> swept;
  Equal(Sweep(scratch.folder(), &swept), 0);
  Equal(swept.size(), 1U);
#ifdef __linux__
  Check(memory.Exists());
#endif
});

const Test kLines("resource: the line of what was removed is used again", [] {
  const Scratch scratch;
  const Memory memory;
  const Member member = Created(scratch.folder());
  for (int i = 0; i < 3; i++) {
    Equal(member->AddResource(memory.resource()), 0);
    Equal(member->AddResource(memory.resource()), 0);
    struct stat info {};
    Equal(::stat(Register(*member).c_str(), &info), 0);
    Equal(info.st_size, kResourceLineBytes);
    member->RemoveResource(memory.resource());
  }
  Check(member->Leave());
  Check(memory.Exists());
});

const Test kRefused("resource: a line that is damaged, or leads elsewhere, removes nothing", [] {
  const Memory memory;
  const std::string good = FormatResource(memory.resource());
  Equal(good.size(), kResourceLineBytes);
  Resource parsed;
  Check(ParseResource(std::string_view(good).substr(0, good.size() - 1), &parsed));
  Check(parsed == memory.resource());
  for (const char* bad : {"", "m", "m/", "m1", "m1/", "x1/name", "m-1/name", "m1 /name", "m1/a/b",
                          "m1/..", "m1/missing", "s1/../mp"}) {
    Check(!ParseResource(bad, &parsed), bad);
  }
  for (const char* name : {"", "name", "/", "/a/b", "/..", "/missing", "/a\nb"}) {
    Equal(FormatResource({ResourceKind::kSharedMemory, name}), "", name);
  }
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
