// SPDX-License-Identifier: MIT
#include "util/deadline.h"

#include <cfloat>
#include <cmath>
#include <limits>
#include <thread>

#include "check.h"

namespace mp::test {
namespace {

using std::chrono::nanoseconds;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Test kNever("deadline: infinite, undefined and huge timeouts never end", [] {
  for (const double timeout : {kInfinity, std::nan(""), DBL_MAX, 1e300, 9.3e18, 9e9}) {
    Check(Deadline::After(timeout).never(), Shown(timeout));
  }
  Check(Deadline().never(), "without a timeout");
});

const Test kNow("deadline: zero, negative and tiny negative timeouts have passed", [] {
  for (const double timeout : {0.0, -0.0, -DBL_MIN, -1.0, -1e300, -kInfinity}) {
    const Deadline deadline = Deadline::After(timeout);
    Check(!deadline.never(), Shown(timeout));
    Equal(deadline.Left().count(), 0, Shown(timeout));
  }
});

// The time left is at most the timeout, and less by at most the time that the test has taken.
void ExpectLeft(double milliseconds, nanoseconds expected) {
  const auto before = Deadline::Clock::now();
  const Deadline deadline = Deadline::After(milliseconds);
  const nanoseconds left = deadline.Left();
  const nanoseconds spent = Deadline::Clock::now() - before;
  Check(!deadline.never());
  Check(left <= expected, Shown(left.count()) + " ns left");
  Check(left + spent >= expected, Shown(left.count()) + " ns left after " + Shown(spent.count()));
}

const Test kWhole("deadline: timeouts are in milliseconds", [] {
  ExpectLeft(1000, std::chrono::seconds(1));
  ExpectLeft(3600e3, std::chrono::hours(1));
});

const Test kFractions("deadline: fractions count and are rounded up to nanoseconds", [] {
  ExpectLeft(1000.5, nanoseconds(1000500000));
  ExpectLeft(2000.0000001, nanoseconds(2000000001));
  ExpectLeft(5000.25, nanoseconds(5000250000));
  Check(!Deadline::After(DBL_MIN).never());
});

const Test kLongest("deadline: the longest timeouts that have an end", [] {
  for (const double timeout : {8.9e9, std::nextafter(9e9, 0)}) {
    const Deadline deadline = Deadline::After(timeout);
    Check(!deadline.never());
    Check(deadline.Left() > std::chrono::hours(24 * 100));
  }
});

const Test kPasses("deadline: it passes and stays passed", [] {
  const Deadline deadline = Deadline::After(2);
  while (deadline.Left().count() > 0) std::this_thread::yield();
  Equal(deadline.Left().count(), 0);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
