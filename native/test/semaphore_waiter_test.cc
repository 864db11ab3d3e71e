// SPDX-License-Identifier: MIT
#include "waiter_tests.h"

namespace mp::test {
namespace {

const Test kMethod("waiter: one thread waits for many semaphores where the kernel can",
                   [] { ExpectSleepersWhileWaiting(platform::MaxSemaphoreWords() > 0 ? 1 : 0); });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
