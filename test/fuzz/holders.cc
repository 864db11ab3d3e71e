// SPDX-License-Identifier: MIT
//
// A holder table with any content, which any process of the user can write, and operations on it.
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "fuzz.h"
#include "os/unique_fd.h"
#include "semaphores/holder_table.h"

namespace mp::fuzz {
namespace {

const std::string& Path() {
  static const std::string path = [] {
    char text[] = "/tmp/fuzz-holders-XXXXXX";
    const int fd = ::mkstemp(text);
    Require(fd >= 0, "mkstemp");
    ::close(fd);
    return std::string(text);
  }();
  return path;
}

// Writes the input's bytes at the places that it names.
void Damage(Input* input) {
  const UniqueFd file(::open(Path().c_str(), O_WRONLY | O_CLOEXEC));
  const uint32_t places = input->Below(32);
  for (uint32_t i = 0; i < places; i++) {
    // The first eight bytes say that it is a table.
    const off_t at = 8 + static_cast<off_t>(input->Below(4096));
    const std::vector<uint8_t> bytes = input->Take(input->Below(40));
    Require(
        ::pwrite(file.get(), bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()),
        "the table is written");
  }
}

void Operate(HolderTable& table, Input* input) {
  HolderTable::Record* own = nullptr;
  for (int step = 0; step < 60 && input->left() > 0; step++) {
    const uint32_t number = input->Below(6);
    switch (input->Below(16)) {
      case 0:
        if (own == nullptr) own = table.Claim(number);
        break;
      case 1:
        if (own != nullptr) HolderTable::Set(own, number, Phase::kHolding, 1);
        break;
      case 2:
        if (own != nullptr) table.Abandon(own);
        own = nullptr;
        break;
      case 3:
        table.ClearHolder(number);
        break;
      case 4:
        (void)HolderTable::Reap(table.FindDeadHolder(number));
        break;
      case 5:
        (void)table.HasLiveHolder(number);
        break;
      case 6: {
        (void)table.ReapDeadSlots(number);
        break;
      }
      case 7:
        table.Expose(number);
        Require(table.IsExposed(number), "what is exposed stays so");
        break;
      case 8: {
        HolderTable::Record* flags = table.QueueFlags(number, true);
        if (flags == nullptr) break;
        HolderTable::AddFlags(flags, number, 1);
        Require((HolderTable::Flags(flags, number) & 1) != 0, "a flag that was set is there");
        break;
      }
      case 9:
        table.Close(number);
        break;
      case 10:
        if (own != nullptr) HolderTable::SetSlots(own, number, input->Below(5));
        break;
      case 11:
        if (own != nullptr) HolderTable::Set(own, number, Phase::kWaiting, input->Below(5));
        break;
      case 12:
        Require(table.LeaveNotifications(number, 2) <= 2, "no more is left than there is");
        break;
      case 13:
        (void)table.TakeOrphanedNotifications(number);
        break;
      case 14:
        if (own != nullptr) (void)table.TakeNotification(number, own);
        break;
      default:
        (void)table.ReapDeadWaiters(number);
        break;
    }
  }
  if (own != nullptr) table.Abandon(own);
}

void Run(Input input) {
  Require(::truncate(Path().c_str(), 0) == 0, "the table is emptied");
  std::shared_ptr<HolderTable> table;
  Require(HolderTable::Open(Path(), true, &table) == 0, "the table is made");
  Damage(&input);
  Operate(*table, &input);
  // A damaged number of chunks leads behind the end of the file. Then the table is given up, as one
  // that was truncated.
  (void)table->IsIntact();
}

}  // namespace
}  // namespace mp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mp::fuzz::Run(mp::fuzz::Input(data, size));
  return 0;
}
