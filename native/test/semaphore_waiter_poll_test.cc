// SPDX-License-Identifier: MIT
#include "waiter_tests.h"

namespace mp::test {
namespace {

// Static initialisation precedes the first use of the waiter.
const bool kConfigured = (SemaphoreWaiter::Configure(true), true);

const Test kMethod("waiter: semaphores are tried in turn where that was configured", [] {
  Check(kConfigured);
  ExpectSleepersWhileWaiting(0);
});

const Test kDecidedOnce("waiter: the method is decided once", [] {
  SemaphoreWaiter::Configure(false);
  ExpectSleepersWhileWaiting(0);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
