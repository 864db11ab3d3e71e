// SPDX-License-Identifier: MIT
//
// What this process is for the package, as text that all its threads share.
#pragma once

#include <string>
#include <vector>

namespace mp {

// The first call sets the text to `initial`, unless SetProcessRole() has set it before.
std::string ProcessRole(std::string initial);
void SetProcessRole(std::string role);

// A program may have several copies of the package, with an addon each: a library that was
// installed with its own. What their addons know, without empty texts and without the text of this
// one.
std::vector<std::string> RolesOfOtherCopies();

}  // namespace mp
