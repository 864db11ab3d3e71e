// SPDX-License-Identifier: MIT
//
// Files of shared memory that another process has truncated, or that are none of ours.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>

#include "check.h"
#include "os/platform.h"
#include "os/unique_fd.h"
#include "semaphores.h"
#include "semaphores/holder_table.h"

namespace mp::test {
namespace {

constexpr uint32_t kNumber = 7;

// A table whose file has been truncated to `size` bytes after it was opened.
std::shared_ptr<HolderTable> MakeTruncated(off_t size) {
  const std::string path = "/dev/shm" + FreshName();
  std::shared_ptr<HolderTable> table;
  Equal(HolderTable::Open(path, true, &table), 0);
  Equal(table->IsIntact(), true);
  (void)table->Claim(kNumber);
  Equal(::truncate(path.c_str(), size), 0);
  std::shared_ptr<HolderTable> other;
  Equal(HolderTable::Open(path, false, &other), -EIO);
  ::unlink(path.c_str());
  return table;
}

// Regression: SIGBUS ended every process that had the table open.
const Test kTruncated("holder table: a truncated one is an error for its members, and nothing else",
                      [] {
                        for (const off_t size : {off_t{0}, off_t{1}, off_t{4096}}) {
                          const auto table = MakeTruncated(size);
                          const auto lock = MakeTracked(1);
                          lock->Track(table, kNumber, TrackedSemaphore::Role::kHolder);
                          (void)table->FindDeadHolder(kNumber);
                          // Of a file that has kept all pages nothing can be missed but what was in
                          // the last bytes.
                          if (size > 4096) continue;
                          Equal(lock->TryAcquire(), -EIO, Shown(size));
                          Equal(lock->CheckHolder(), -EIO);
                          // What another process waits for is posted all the same.
                          Equal(lock->Release(TrackedSemaphore::kNoLimit), 0);
                          Equal(lock->semaphore().Value(), 2);
                        }
                      });

const Test kMissing("holder table: one that has to exist is not made", [] {
  std::shared_ptr<HolderTable> table;
  Equal(HolderTable::Open("/dev/shm" + FreshName(), false, &table), -ENOENT);
  const std::string path = "/dev/shm" + FreshName();
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  Equal(platform::AllocateFile(fd.get(), 65536), 0);
  const int zeros = HolderTable::Open(path, false, &table);
  const uint8_t foreign = 1;
  Equal(::pwrite(fd.get(), &foreign, 1, 0), 1);
  const int other = HolderTable::Open(path, false, &table);
  ::unlink(path.c_str());
  Equal(zeros, -EIO);
  Equal(other, -EPROTO);
});

#ifdef __linux__
const Test kSameSemaphore("semaphore: is the one that sem_open() finds or has made", [] {
  const std::string name = FreshName();
  std::shared_ptr<NamedSemaphore> ours;
  Equal(NamedSemaphore::Open(name, false, 0, &ours), -ENOENT);
  Equal(NamedSemaphore::Open(name, true, 2, &ours), 0);
  sem_t* theirs = ::sem_open(name.c_str(), 0);
  Check(theirs != SEM_FAILED);
  Equal(::sem_trywait(theirs), 0);
  Equal(ours->Value(), 1);
  Equal(NamedSemaphore::Open(name, true, 1, &ours), -EEXIST);
  Equal(NamedSemaphore::Unlink(name), 0);
  Equal(::sem_close(theirs), 0);
  theirs = ::sem_open(name.c_str(), O_CREAT | O_EXCL, 0600, 0);
  Check(theirs != SEM_FAILED);
  Equal(NamedSemaphore::Open(name, true, 1, &ours), -EEXIST);
  Equal(NamedSemaphore::Open(name, false, 0, &ours), 0);
  Equal(ours->Post(), 0);
  Equal(::sem_trywait(theirs), 0);
  Equal(ours->TryWait(), -EAGAIN);
  Equal(::sem_close(theirs), 0);
  Equal(NamedSemaphore::Unlink(name), 0);
  Equal(NamedSemaphore::Unlink(name), -ENOENT);
  for (const char* wrong : {"/", "/a/b"})
    Equal(NamedSemaphore::Open(wrong, true, 1, &ours), -EINVAL);
});

const Test kTruncatedSemaphore("semaphore: a truncated one is an error in every call", [] {
  std::shared_ptr<NamedSemaphore> semaphore;
  const std::string name = FreshName();
  Equal(NamedSemaphore::Open(name, true, 1, &semaphore), 0);
  Equal(::truncate(FileOfSemaphore(name).c_str(), 0), 0);
  Equal(semaphore->Value(), -EIO);
  Equal(semaphore->TryWait(), -EIO);
  Equal(semaphore->Wait(std::chrono::milliseconds(1)), -EIO);
  Equal(semaphore->Post(), -EIO);
  std::shared_ptr<NamedSemaphore> again;
  Equal(NamedSemaphore::Open(name, false, 0, &again), -EIO, "while it is open");
  semaphore.reset();
  Equal(NamedSemaphore::Open(name, false, 0, &again), -EIO);
  Equal(NamedSemaphore::Unlink(name), 0);
  Equal(NamedSemaphore::Open(name, true, 1, &semaphore), 0);
  Equal(NamedSemaphore::Unlink(name), 0);
  Equal(semaphore->TryWait(), 0);
});
#endif

const Test kForeignFault("guarded memory: a fault elsewhere goes to the handler from before", [] {
  const auto semaphore = MakeSemaphore(1);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string path = "/dev/shm" + FreshName();
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ::unlink(path.c_str());
    void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
    ::_exit(*static_cast<volatile char*>(page));
  }
  int status = 0;
  Equal(::waitpid(child, &status, 0), child);
  Equal(WTERMSIG(status), SIGBUS);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) {
  // That of a sanitizer, which would report the fault that a test makes.
  ::signal(SIGBUS, SIG_DFL);
  return mp::test::Run(argc, argv);
}
