// SPDX-License-Identifier: MIT
#include "util/spinner.h"

#include <thread>

#include "check.h"

namespace mp::test {
namespace {

constexpr int64_t kMs = 1'000'000;

// How many attempts a wait makes before it would sleep, if each of them takes so long.
int Attempts(SpinHistory* history, std::chrono::microseconds each) {
  int attempts = 0;
  Spinner spinner(kMs, history);
  Equal(spinner.Spin(Deadline(),
                     [&]() -> int64_t {
                       attempts++;
                       if (each.count() > 0) std::this_thread::sleep_for(each);
                       return -EAGAIN;
                     }),
        -EAGAIN);
  spinner.Failed();
  return attempts;
}

const Test kBusy("spinner: on a busy machine the next waits sleep at once, more each time", [] {
  SpinHistory history;
  int slept = 0;
  for (int tries = 1; tries <= 3; tries++) {
    Equal(Attempts(&history, std::chrono::microseconds(200)), 1);
    const uint32_t pause = history.paused;
    for (uint32_t i = 0; i < pause; i++) Equal(Attempts(&history, std::chrono::microseconds(0)), 0);
    Equal(history.paused, 0u);
    Check(static_cast<int>(pause) > slept, "the pause grows");
    slept = static_cast<int>(pause);
  }
  Equal(history.fruitless, 3u, "a wait that does not retry shows nothing about the peer");
});

const Test kMet("spinner: an answer while it retries ends the pauses", [] {
  SpinHistory history;
  Equal(Attempts(&history, std::chrono::microseconds(200)), 1);
  history.paused = 0;
  Spinner spinner(kMs, &history);
  Equal(spinner.Spin(Deadline(), [] { return int64_t{7}; }), 7);
  Equal(history.pause, 0u);
  Equal(history.ns, kMs);
});

// Regression: beside other work each message took a whole slice of it, since each success began
// anew.
const Test kLost("spinner: after an answer that other work has kept waiting the next waits sleep",
                 [] {
                   SpinHistory history;
                   Spinner spinner(kMs, &history);
                   const auto late = []() -> int64_t {
                     std::this_thread::sleep_for(std::chrono::milliseconds(1));
                     return 7;
                   };
                   Equal(spinner.Spin(Deadline(), late), 7);
                   Check(history.paused > 0);
                   Equal(Attempts(&history, std::chrono::microseconds(0)), 0);
                 });

const Test kEnds("spinner: it ends at its deadline and by -ECANCELED", [] {
  SpinHistory history;
  Spinner spinner(kMs, &history);
  Equal(spinner.Spin(Deadline::After(0), [] { return int64_t{1}; }), -EAGAIN);
  Equal(spinner.Spin(Deadline(), [] { return int64_t{-ECANCELED}; }), -ECANCELED);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
