// SPDX-License-Identifier: MIT
//
// Blocks of shared memory for arrays that go from process to process. A block is a file beside the
// register of a family. It is in use while a process has a lock on it or a message names it.
//
// A process that uses a block has a shared lock (flock) on an open file of its own, which the
// mapping keeps, too: however the process ends, the kernel takes the lock away. A child of fork()
// shares the mapping and the lock. A process may map a block that it does not use. A message has a
// ticket, a number in the first page of the block. The receiver of the message maps the block and
// then clears the ticket.
//
// Words 8 to 255 of that page are for tickets of this package, taken by compare-and-swap. The rest
// is for those of Python (lib/python/arrays.py), which are taken under a lock on the file.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "os/unique_fd.h"
#include "semaphores/family.h"
#include "shared_memory/message_route.h"
#include "shared_memory/shared_block.h"

namespace mp {

// What stands in a message for its share in a block.
struct ArrayTicket {
  uint32_t word = 0;   // Where it is in the first page.
  uint64_t value = 0;  // With the sender's pid; less than 2 ** 53. 0 for no ticket.
};

class ArrayBlock {
 public:
  static constexpr size_t kHeaderBytes = 4096;

  // A new block of this process. All results are >= 0 or -errno.
  static int Create(const std::shared_ptr<Family>& family, size_t size,
                    std::shared_ptr<ArrayBlock>* out);
  // Maps the block that a message names, and clears the message's ticket, also if that fails.
  // -ESTALE if the block has been used for something else since.
  static int Open(const std::string& file, uint64_t generation, const ArrayTicket& ticket,
                  std::shared_ptr<ArrayBlock>* out);
  // For a message that will not be received. The block need not exist any more.
  static void EndTicket(const std::string& file, const ArrayTicket& ticket) noexcept;
  // Removes a file whose owner has ended, unless it is in use. Messages of the process `sender`
  // will not be received any more.
  static void RemoveIfDeserted(int folder, const std::string& file, uint32_t sender = 0) noexcept;

  // Whether a file beside a register is that of a block.
  static bool IsBlock(const std::string& file);

  void* data() const noexcept { return static_cast<char*>(mapping_->data()) + kHeaderBytes; }
  // As many bytes as the file has, which may be more than Create() was asked for.
  size_t size() const noexcept { return mapping_->size() - kHeaderBytes; }
  const std::string& folder() const noexcept { return folder_; }
  const std::string& file() const noexcept { return file_; }
  // How often the block was used before: what names an earlier use of it is out of date.
  uint64_t generation() const noexcept { return header()[kGeneration].load(); }
  bool is_own() const noexcept { return is_own_; }

  // A ticket for a message that is about to be sent, which ends with the message's route if that is
  // known. -ENOSPC if there are too many.
  int AddTicket(ArrayTicket* out, std::shared_ptr<MessageRoute> route = nullptr);
  void EndTicket(const ArrayTicket& ticket) noexcept { EndTicket(header(), ticket); }
  // Ends the tickets of a process that has ended, of whose messages none will be received.
  void EndTicketsOf(uint32_t pid) noexcept { EndTicketsOf(header(), pid); }

  // A message that has not been received, and that can be lost with its route. Without one it is
  // lost already.
  struct Sent {
    std::string file;
    ArrayTicket ticket;
    std::shared_ptr<MessageRoute> route;
  };
  // Those that this object has sent, for when it is given up.
  std::vector<Sent> TakeSent();
  // Whether nothing has to be done for a message any more: it was received or lost.
  static bool IsOver(const Sent& sent) noexcept;

  // For a block of this process that this process does not use any more: whether no other process
  // uses it. Then it can be used again, and what names its earlier use is out of date.
  bool Reclaim() noexcept;
  void Unlink() noexcept;

 private:
  using Word = std::atomic<uint64_t>;
  static constexpr size_t kMagicWord = 0;
  static constexpr size_t kOwner = 2;  // And its start and its pid namespace.
  static constexpr size_t kGeneration = 5;
  static constexpr uint32_t kFirstTicket = 8;
  static constexpr uint32_t kFirstOfPython = 256;
  static constexpr uint32_t kWords = kHeaderBytes / sizeof(Word);
  static constexpr uint64_t kMagic = 0x31797272612d706d;

  ArrayBlock(std::string folder, std::string file, UniqueFd fd,
             std::shared_ptr<SharedMapping> mapping, bool is_own) noexcept
      : folder_(std::move(folder)),
        file_(std::move(file)),
        fd_(std::move(fd)),
        mapping_(std::move(mapping)),
        is_own_(is_own) {}
  static int OpenFile(const std::string& file, std::string* folder, UniqueFd* out);
  static void EndTicket(Word* header, const ArrayTicket& ticket) noexcept;
  static void EndTicketsOf(Word* header, uint32_t pid) noexcept;
  static bool HasTickets(const Word* header) noexcept;
  // Ends the tickets of messages that were lost.
  void EndLost() noexcept;
  static bool IsCurrent(const Word* header, const ArrayTicket& ticket) noexcept {
    return ticket.value != 0 && header[ticket.word].load() == ticket.value;
  }
  static int MapHeader(const std::string& file, std::shared_ptr<SharedMapping>* out) noexcept;
  Word* header() const noexcept { return static_cast<Word*>(mapping_->data()); }

  const std::string folder_;
  const std::string file_;
  const UniqueFd fd_;
  const std::shared_ptr<SharedMapping> mapping_;
  const bool is_own_;
  // Whether a message may have named this use of it.
  std::atomic<bool> was_sent_{false};
  // Those of its messages whose routes are known, each in the place of its word.
  std::vector<Sent> sent_;
};

}  // namespace mp
