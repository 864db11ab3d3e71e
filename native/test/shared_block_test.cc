// SPDX-License-Identifier: MIT
//
// Blocks of shared memory: their names, what the register knows of them, and what other processes
// can do to them.
#include "shared_memory/shared_block.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "families.h"
#include "kills.h"
#include "registers/register_folder.h"
#include "semaphores/family.h"

namespace mp::test {
namespace {

std::string NewName() {
  static int count = 0;
  return "/mp-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

bool Exists(const std::string& name) {
  return static_cast<bool>(UniqueFd(::shm_open(name.c_str(), O_RDONLY, 0)));
}

volatile char& At(const SharedBlock& block, size_t offset) {
  return static_cast<char*>(block.mapping()->data())[offset];
}

// Runs `body` in a process that has a family of its own.
template <typename Body>
void InFamily(Body body) {
  Child child([&](Voice&) {
    body();
    Family::LeaveAll();
  });
  child.End();
}

const Test kShared("shared block: has its size, mode and contents for all that open it", [] {
  InFamily([] {
    const std::string name = NewName();
    std::unique_ptr<SharedBlock> made;
    std::unique_ptr<SharedBlock> opened;
    Equal(SharedBlock::Create(name, 1000, &made), 0);
    Equal(SharedBlock::Open(name, &opened), 0);
    Equal(opened->mapping()->size(), 1000U);
    struct stat info {};
    Equal(::fstat(opened->fd(), &info), 0);
    Equal(info.st_mode & 0777, 0600);
    Equal(At(*opened, 999), 0);
    At(*made, 999) = 7;
    Equal(At(*opened, 999), 7);
    Check(made->mapping()->data() != opened->mapping()->data());
    std::unique_ptr<SharedBlock> again;
    Equal(SharedBlock::Create(name, 1000, &again), -EEXIST);
    Equal(SharedBlock::Unlink(name), 0);
    Equal(SharedBlock::Unlink(name), -ENOENT);
    Equal(SharedBlock::Open(name, &again), -ENOENT);
    // It stays for those that have it.
    At(*opened, 0) = 1;
    Equal(At(*made, 0), 1);
  });
});

const Test kRemoved("shared block: is removed with the family that has made it", [] {
  const std::string name = NewName();
  InFamily([&] {
    std::unique_ptr<SharedBlock> block;
    Equal(SharedBlock::Create(name, 10, &block), 0);
    block.reset();
    Check(Exists(name), "it outlives its object");
  });
  Check(!Exists(name));
});

const Test kForeign("shared block: stays when a family ends that has only opened it", [] {
  const std::string name = NewName();
  const UniqueFd fd(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  Equal(::ftruncate(fd.get(), 10), 0);
  InFamily([&] {
    std::unique_ptr<SharedBlock> own;
    std::unique_ptr<SharedBlock> block;
    Equal(SharedBlock::Create(NewName(), 10, &own), 0);
    Equal(SharedBlock::Open(name, &block), 0);
  });
  Check(Exists(name));
  ::shm_unlink(name.c_str());
});

const Test kReused("shared block: a name that is used again is registered again", [] {
  const std::string name = NewName();
  InFamily([&] {
    std::unique_ptr<SharedBlock> block;
    Equal(SharedBlock::Create(name, 10, &block), 0);
    // As another process does it, which does not know the line of this one.
    ::shm_unlink(name.c_str());
    Equal(SharedBlock::Create(name, 10, &block), 0);
  });
  Check(!Exists(name));
});

const Test kKilled("shared block: a kill at any step of making it leaves nothing", [] {
  int step = 0;
  for (bool died = true; died; step++) {
    const std::string name = NewName();
    died = DiesAtStep(step, [&](const auto& arm) {
      std::unique_ptr<SharedBlock> first;
      // The family exists.
      Equal(SharedBlock::Create(NewName(), 10, &first), 0);
      arm();
      std::unique_ptr<SharedBlock> block;
      Equal(SharedBlock::Create(name, 10, &block), 0);
    });
    std::vector<SweptFamily> swept;
    Equal(Sweep(UsualFolder(), &swept), 0);
    Check(!Exists(name), "step " + Shown(step));
  }
  Check(step > 2, "there are steps");
});

const Test kNoSpace("shared block: a lack of memory is an error, and leaves no name", [] {
  InFamily([] {
    const std::string name = NewName();
    std::unique_ptr<SharedBlock> block;
    Equal(SharedBlock::Create(name, size_t{1} << 45, &block), -ENOSPC);
    Check(!Exists(name) && !block);
  });
});

const Test kNoDescriptors("shared block: a lack of descriptors is an error, and leaves no name",
                          [] {
                            InFamily([] {
                              const std::string name = NewName();
                              std::unique_ptr<SharedBlock> first;
                              Equal(SharedBlock::Create(NewName(), 10, &first), 0);
                              const rlimit none{0, 0};
                              Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
                              std::unique_ptr<SharedBlock> block;
                              Equal(SharedBlock::Create(name, 10, &block), -EMFILE);
                              Equal(SharedBlock::CreateUnnamed(10, &block), -EMFILE);
                              Equal(::access(("/dev/shm" + name).c_str(), F_OK), -1);
                            });
                          });

const Test kTruncated("shared block: a part that another process has cut off reads as zeros", [] {
  InFamily([] {
    const std::string name = NewName();
    std::unique_ptr<SharedBlock> block;
    Equal(SharedBlock::Create(name, 100, &block), 0);
    At(*block, 5) = 1;
    Equal(::ftruncate(block->fd(), 0), 0);
    Equal(At(*block, 5), 0);
    At(*block, 5) = 2;
    Equal(At(*block, 5), 2);
  });
});

const Test kUnnamed("shared block: one without a name goes by its descriptor, and cannot shrink",
                    [] {
                      std::unique_ptr<SharedBlock> made;
                      Equal(SharedBlock::CreateUnnamed(4096, &made), 0);
                      std::unique_ptr<SharedBlock> opened;
                      Equal(SharedBlock::Adopt(UniqueFd(::dup(made->fd())), &opened), 0);
                      At(*made, 8) = 3;
                      Equal(At(*opened, 8), 3);
                      Equal(::ftruncate(opened->fd(), 0), -1);
                    });

const Test kNotABlock("shared block: an empty file is none, and its descriptor stays the caller's",
                      [] {
                        const UniqueFd fd(::memfd_create("empty", MFD_CLOEXEC));
                        std::unique_ptr<SharedBlock> block;
                        Equal(SharedBlock::Adopt(UniqueFd(fd.get()), &block), -EINVAL);
                        Check(::fcntl(fd.get(), F_GETFD) >= 0);
                      });

const Test kOutlives("shared block: its mapping stays for those that keep it", [] {
  std::unique_ptr<SharedBlock> block;
  Equal(SharedBlock::CreateUnnamed(4096, &block), 0);
  const std::shared_ptr<SharedMapping> kept = block->mapping();
  block.reset();
  static_cast<volatile char*>(kept->data())[0] = 1;
  Equal(static_cast<volatile char*>(kept->data())[0], 1);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
