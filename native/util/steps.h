// SPDX-License-Identifier: MIT
#pragma once

namespace mp {

// Stands between two steps of which a kill may separate the first from the second. In the tests of
// the native code a hook can end the process there; elsewhere it is nothing.
#ifdef MP_TEST_STEPS
inline void (*step_hook)() = nullptr;
inline void Step() noexcept {
  if (step_hook != nullptr) step_hook();
}
#else
inline void Step() noexcept {}
#endif

}  // namespace mp
