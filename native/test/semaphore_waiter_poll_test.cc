// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "waiter_tests.h"

namespace mp::test {
namespace {

// Before the waiter is used for the first time.
const bool kForced = ::setenv("NODE_MULTIPROCESSING_WAITER", "poll", 1) == 0;

const Test kWay("waiter: semaphores are tried in turn where it was told to", [] {
  Check(kForced);
  Check(!SemaphoreWaiter::WaitsForMany());
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
