// SPDX-License-Identifier: MIT
#include "process/process_role.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "check.h"

extern "C" size_t node_multiprocessing_role(char* text, size_t size);

namespace mp::test {
namespace {

const Test kAgreed("process role: the first text stays until another one is set", [] {
  Equal(ProcessRole(""), std::string());
  Equal(ProcessRole("first"), std::string("first"));
  Equal(ProcessRole("second"), std::string("first"));
  SetProcessRole("told");
  Equal(ProcessRole("third"), std::string("told"));
});

const Test kForOtherCopies("process role: another copy reads as much as it has room for", [] {
  SetProcessRole("0123456789");
  char text[4] = {};
  Equal(node_multiprocessing_role(nullptr, 0), size_t{10});
  Equal(node_multiprocessing_role(text, sizeof text), size_t{10});
  Equal(std::string_view(text, sizeof text), std::string_view("0123"));
  // This program is no addon, and has loaded none.
  Check(RolesOfOtherCopies().empty());
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
