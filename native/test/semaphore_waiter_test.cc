// SPDX-License-Identifier: MIT
#include "waiter_tests.h"

namespace mp::test {
namespace {

#if defined(__linux__) && defined(__GLIBC__)
const Test kWay("waiter: one thread waits for many where the kernel can",
                [] { Equal(SemaphoreWaiter::WaitsForMany(), platform::MostSemaphoreWords() > 0); });
#endif

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
