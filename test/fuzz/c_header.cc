// SPDX-License-Identifier: MIT
//
// The functions of interop/c that receive messages, over a pipe that holds the input.
#include <unistd.h>

#include <cstring>

#include "fuzz.h"
#include "node_multiprocessing.h"

namespace mp::fuzz {
namespace {

constexpr size_t kPipeBytes = 60000;

void Run(Input input) {
  const int before = OpenDescriptors();
  int ends[2];
  Require(::pipe(ends) == 0, "pipe");
  std::vector<uint8_t> ways = input.Take(8);
  std::vector<uint8_t> bytes = input.Take(kPipeBytes);
  if (!bytes.empty()) {
    Require(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "the pipe takes all");
  }
  ::close(ends[1]);
  char* grown = nullptr;
  size_t cap = 0;
  char fixed[1024];
  size_t got = 0;
  for (size_t message = 0;; message++) {
    const unsigned way = ways.empty() ? 0 : ways[message % ways.size()] % 3;
    char* made = nullptr;
    size_t length = 0;
    int code = way == 0   ? nmp_recv_alloc(ends[0], 1 << 20, &made, &length)
               : way == 1 ? nmp_recv_grow(ends[0], 1 << 20, &grown, &cap, &length)
                          : nmp_recv(ends[0], fixed, sizeof fixed, &length);
    if (code == NMP_TOO_BIG && length <= bytes.size()) {
      std::vector<char> body(length + 1);
      code = nmp_recv_body(ends[0], body.data(), length);
    } else if (code == 0) {
      const char* const where = way == 0 ? made : way == 1 ? grown : fixed;
      got += length;
      Require(got <= bytes.size(), "no more arrives than was sent");
      // Each byte is read, which the sanitizer watches.
      volatile char sum = 0;
      for (size_t i = 0; i < length; i++) sum = static_cast<char>(sum + where[i]);
    }
    std::free(made);
    if (code != 0) break;
  }
  std::free(grown);
  ::close(ends[0]);
  Require(OpenDescriptors() == before, "no descriptor is left open");
}

}  // namespace
}  // namespace mp::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mp::fuzz::Run(mp::fuzz::Input(data, size));
  return 0;
}
