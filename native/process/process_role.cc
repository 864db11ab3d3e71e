// SPDX-License-Identifier: MIT
#include "process/process_role.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <utility>

#include "os/processes.h"

namespace mp {

namespace {

// Leaked on purpose: environments of workers may outlive static destructors.
struct Role {
  std::mutex mutex;
  std::string text;
};

Role& TheRole() {
  static auto& role = *new Role;
  return role;
}

// The addresses of an exported symbol in all addons of this process, for any package, that have it.
std::vector<void*> SymbolsOfAddons(const char* name) {
  std::vector<std::string> addons;
  const auto visit = [](void* context, const char* path) {
    const std::string_view library(path);
    if (library.ends_with(".node"))
      static_cast<std::vector<std::string>*>(context)->emplace_back(library);
  };
  platform::VisitLibraries(visit, &addons);
  std::vector<void*> found;
  for (const std::string& path : addons) {
    // Loads nothing. Node never unloads an addon of this package, so that the symbol stays.
    void* const addon = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (addon == nullptr) continue;
    if (void* const symbol = ::dlsym(addon, name); symbol != nullptr) found.push_back(symbol);
    ::dlclose(addon);
  }
  return found;
}

}  // namespace

// Copies the role of this process, at most `size` bytes of it, and returns its length. Exported for
// the addons of other copies of the package, also of other versions.
extern "C" __attribute__((visibility("default"))) size_t node_multiprocessing_role(char* text,
                                                                                   size_t size) {
  const std::lock_guard lock(TheRole().mutex);
  return TheRole().text.copy(text, size), TheRole().text.size();
}

std::string ProcessRole(std::string initial) {
  const std::lock_guard lock(TheRole().mutex);
  if (TheRole().text.empty()) TheRole().text = std::move(initial);
  return TheRole().text;
}

void SetProcessRole(std::string role) {
  const std::lock_guard lock(TheRole().mutex);
  TheRole().text = std::move(role);
}

std::vector<std::string> RolesOfOtherCopies() {
  std::vector<std::string> roles;
  for (void* const symbol : SymbolsOfAddons("node_multiprocessing_role")) {
    const auto copy = reinterpret_cast<decltype(&node_multiprocessing_role)>(symbol);
    if (copy == &node_multiprocessing_role) continue;
    std::string text;
    // The role may become longer between two calls.
    for (size_t size = copy(nullptr, 0); size > text.size();) {
      text.resize(size);
      size = copy(text.data(), text.size());
      text.resize(std::min(size, text.size()));
    }
    if (!text.empty()) roles.push_back(std::move(text));
  }
  return roles;
}

}  // namespace mp
