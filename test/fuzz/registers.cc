// SPDX-License-Identifier: MIT
//
// A family's register with any content: what is read from it is of the family's own form, and its
// removal takes no other name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "fuzz.h"
#include "os/unique_fd.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"

namespace mp::fuzz {
namespace {

const std::string& Folder() {
  static const std::string folder = [] {
    char text[] = "/tmp/fuzz-registers-XXXXXX";
    Require(::mkdtemp(text) != nullptr, "mkdtemp");
    return std::string(text);
  }();
  return folder;
}

void Run(const uint8_t* data, size_t size) {
  const std::string family = "fuzz";
  const std::string path = Folder() + "/" + family;
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  Require(file.get() >= 0, "the register is made");
  Require(::write(file.get(), data, size) == static_cast<ssize_t>(size), "it is written");
  std::vector<register_file::ListedName> names;
  Require(register_file::ReadNames(file.get(), family, &names) == 0, "it can be read");
  for (const auto& [name, label] : names) {
    Require(name.starts_with("/mp-fuzz-") && name.size() <= 31, "a name has the family's form");
    Require(name.find('/', 1) == std::string::npos, "a name leads to no folder");
    Require(std::all_of(label.begin(), label.end(), ::isalnum), "a label has letters and digits");
  }
  std::vector<Resource> resources;
  Require(register_file::ReadResources(file.get(), &resources) == 0, "so can what Python has made");
  for (const Resource& resource : resources) {
    Require(resource.second.find('/', 1) == std::string::npos, "a resource leads to no folder");
  }
  UniqueFd folder;
  Require(register_file::OpenFolder(Folder(), &folder) == 0, "the folder is the user's own");
  // Nothing of what exists may be named by a test.
  if (resources.empty()) {
    Require(RemoveIfDeserted(folder.get(), family) >= 0, "a family without members is removed");
    Require(::access(path.c_str(), F_OK) < 0, "and its register with it");
  }
}

}  // namespace
}  // namespace mp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mp::fuzz::Run(data, size);
  return 0;
}
