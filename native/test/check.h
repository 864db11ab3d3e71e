// SPDX-License-Identifier: MIT
//
// A test is a name and a function that throws at the first failure. Results are printed as TAP.
// Every test must leave as many descriptors open as it found: a leak fails it.
#pragma once

#include <dirent.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <ios>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace mp::test {

struct Case {
  const char* name;
  void (*body)();
};

inline std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

// Counts the comparisons, so that a loop that ran zero times is noticed.
inline long& Checks() {
  static long checks = 0;
  return checks;
}

// Registers a test. Meant for constants at namespace scope.
class Test {
 public:
  Test(const char* name, void (*body)()) { Cases().push_back({name, body}); }
};

[[noreturn]] inline void Fail(const std::string& why, const char* file, int line) {
  const char* base = std::strrchr(file, '/');
  std::ostringstream text;
  text << (base != nullptr ? base + 1 : file) << ':' << line << ": " << why;
  throw std::runtime_error(text.str());
}

inline void Check(bool condition, const std::string& what = "condition is false",
                  const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  Checks()++;
  if (!condition) Fail(what, file, line);
}

template <typename Value>
std::string Shown(const Value& value) {
  std::ostringstream text;
  text << std::boolalpha;
  if constexpr (std::is_enum_v<Value>) {
    text << static_cast<long long>(value);
  } else if constexpr (std::is_same_v<Value, uint8_t>) {
    text << static_cast<int>(value);
  } else {
    text << value;
  }
  return text.str();
}

template <typename Value>
constexpr bool kIsNumber = std::is_integral_v<Value> || std::is_enum_v<Value>;

// An enumerator, a bool or a character as the plain integer that std::cmp_equal takes.
template <typename Value>
auto Plain(Value value) {
  if constexpr (std::is_enum_v<Value>) {
    return static_cast<long long>(value);
  } else if constexpr (sizeof(Value) == 1) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

// Numbers of different types are compared by value, without a conversion that changes one of them.
template <typename Actual, typename Expected>
void Equal(const Actual& actual, const Expected& expected, const std::string& what = "",
           const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  Checks()++;
  bool same = false;
  if constexpr (kIsNumber<Actual> && kIsNumber<Expected>) {
    same = std::cmp_equal(Plain(actual), Plain(expected));
  } else {
    same = actual == expected;
  }
  if (same) return;
  Fail((what.empty() ? what : what + ": ") + "got " + Shown(actual) + ", expected " +
           Shown(expected),
       file, line);
}

inline int OpenDescriptors() {
  DIR* directory = ::opendir("/dev/fd");
  if (directory == nullptr) return -1;
  int count = 0;
  while (::readdir(directory) != nullptr) count++;
  ::closedir(directory);
  return count;
}

// A number from the environment, for runs that are longer than the usual one.
inline unsigned long long Setting(const char* name, unsigned long long usual) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? usual : std::strtoull(text, nullptr, 10);
}

// Runs the tests whose name contains argv[1], or all of them.
inline int Run(int argc, char** argv) {
  // As in a Node process: a write without a reader is an error and does not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  const char* filter = argc > 1 ? argv[1] : "";
  int number = 0;
  int failed = 0;
  for (const Case& test : Cases()) {
    if (std::strstr(test.name, filter) == nullptr) continue;
    const int open_before = OpenDescriptors();
    std::string failure;
    try {
      test.body();
      const int open_after = OpenDescriptors();
      Equal(open_after, open_before, "descriptors left open");
    } catch (const std::exception& error) {
      failure = error.what();
    }
    number++;
    if (!failure.empty()) failed++;
    std::printf("%sok %d - %s\n", failure.empty() ? "" : "not ", number, test.name);
    if (!failure.empty()) std::printf("# %s\n", failure.c_str());
    std::fflush(stdout);
  }
  std::printf("1..%d\n# %d failed, %ld checks\n", number, failed, Checks());
  return failed == 0 ? 0 : 1;
}

}  // namespace mp::test
