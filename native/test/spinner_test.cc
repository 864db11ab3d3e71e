// SPDX-License-Identifier: MIT
#include "util/spinner.h"

#include <thread>

#include "check.h"

namespace mp::test {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr std::chrono::milliseconds kSlice(2);
// After so long a slice waits sleep at once for the longest time.
constexpr std::chrono::milliseconds kLongSlice(150);

// A wait whose one attempt returns `result` after other work has had the CPU for so long.
int64_t Wait(SpinHistory* history, OtherWork* others, int64_t result,
             std::chrono::microseconds lost) {
  Spinner spinner(kMs, history, others);
  if (!spinner.enabled()) return -EAGAIN;
  const int64_t got = spinner.Spin(Deadline(), [&]() -> int64_t {
    if (lost.count() > 0) std::this_thread::sleep_for(lost);
    return result;
  });
  if (got == -EAGAIN) spinner.Failed();
  return got;
}

// Whether waits sleep at once after other work has taken one more slice that ended so long ago.
bool TakesAfter(OtherWork* others, int ms_ago) {
  others->Took(Deadline::Clock::now() - std::chrono::milliseconds(ms_ago), kSlice);
  return others->Takes();
}

const Test kBusy("spinner: beside other work the next waits of the process sleep at once", [] {
  OtherWork others;
  SpinHistory history, another;
  Equal(Wait(&history, &others, -EAGAIN, kLongSlice), -EAGAIN);
  const uint32_t fruitless = history.fruitless;
  // These would be met, if they were attempted.
  Equal(Wait(&history, &others, 7, {}), -EAGAIN);
  Equal(Wait(&another, &others, 7, {}), -EAGAIN);
  Equal(history.fruitless, fruitless, "a wait that does not retry shows nothing about the peer");
  Equal(another.fruitless, 0u);
});

// Regression: beside other work each message took a whole slice of it, since each success began
// anew.
const Test kLost("spinner: an answer that other work has kept waiting counts as lost, too", [] {
  OtherWork others;
  SpinHistory history;
  Equal(Wait(&history, &others, 7, kLongSlice), 7);
  Equal(Wait(&history, &others, 7, {}), -EAGAIN);
});

const Test kPauses(
    "spinner: a pause is twice the last one, up to a limit, unless many waits were met", [] {
      OtherWork others;
      for (int lasts : {4, 8, 16, 32, 64, 128}) Check(!TakesAfter(&others, lasts));
      Check(!TakesAfter(&others, 250));
      Check(TakesAfter(&others, 100));
      for (int i = 0; i < 31; i++) others.Met();
      Check(TakesAfter(&others, 100));
      for (int i = 0; i < 32; i++) others.Met();
      Check(!TakesAfter(&others, 4));
    });

const Test kHiccup("spinner: a short interruption ends the retrying, and no wait sleeps for it",
                   [] {
                     OtherWork others;
                     SpinHistory history;
                     // One attempt of a tenth of a slice. On a machine that is busy now it takes
                     // longer, and shows nothing.
                     const auto begin = Deadline::Clock::now();
                     Equal(Wait(&history, &others, -EAGAIN, std::chrono::microseconds(50)),
                           -EAGAIN);
                     if (Deadline::Clock::now() - begin > std::chrono::microseconds(500)) return;
                     Equal(history.fruitless, 1u);
                     Equal(Wait(&history, &others, 7, {}), 7);
                   });

const Test kEnds("spinner: it ends at its deadline and by -ECANCELED", [] {
  OtherWork others;
  SpinHistory history;
  Spinner spinner(kMs, &history, &others);
  Equal(spinner.Spin(Deadline::After(0), [] { return int64_t{1}; }), -EAGAIN);
  Equal(spinner.Spin(Deadline(), [] { return int64_t{-ECANCELED}; }), -ECANCELED);
});

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }
