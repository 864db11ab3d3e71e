// SPDX-License-Identifier: MIT
//
// The C side of tests and benchmarks.
//
//   echo FD [OUT_FD]                       sends every message back
//   echo FD [OUT_FD] --sink                counts payload bytes until the end
//                                          of data, then sends the count as one
//                                          message of 8 bytes, big-endian
//   echo FD [OUT_FD] --source COUNT SIZE   sends COUNT messages of SIZE bytes;
//                                          byte i of each is i modulo 256
//
// Messages are received on FD and sent on OUT_FD, by default FD as well. A sink
// answers only after the end of data, so it needs an OUT_FD unless the other side
// can shut down one direction of a socket.
//
// Exit codes: 0 end of data (or everything sent), 2 wrong usage, 3 receiving
// failed, 4 sending failed, 5 out of memory.
//
// A benchmark compares with this program, so it makes no more system calls than
// blocking C needs: two reads and one write per message, and one buffer for all.

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_multiprocessing.h"

enum { DONE = 0, USAGE = 2, RECV_FAILED = 3, SEND_FAILED = 4, NO_MEMORY = 5 };

static int fail(const char *what, int code, int exit_code) {
  fprintf(stderr, "echo: %s: %s\n", what, nmp_strerror(code));
  return code == -ENOMEM ? NO_MEMORY : exit_code;
}

static int echo(int in, int out) {
  char *message = NULL;
  size_t capacity = 0, length;
  int received, sent = 0;
  while ((received = nmp_recv_grow(in, SIZE_MAX, &message, &capacity, &length)) == 0) {
    // SIGPIPE is ignored, so nmp_send_plain() is safe for sockets and for pipes.
    sent = nmp_send_plain(out, message, length);
    if (sent != 0) break;
  }
  free(message);
  if (sent != 0) return fail("send", sent, SEND_FAILED);
  return received == NMP_EOF ? DONE : fail("receive", received, RECV_FAILED);
}

static int sink(int in, int out) {
  char *message = NULL;
  size_t capacity = 0, length;
  uint64_t total = 0;
  unsigned char count[8];
  int code;
  while ((code = nmp_recv_grow(in, SIZE_MAX, &message, &capacity, &length)) == 0) {
    total += length;
  }
  free(message);
  if (code != NMP_EOF) return fail("receive", code, RECV_FAILED);
  for (int i = 0; i < 8; i++) count[i] = (total >> (56 - 8 * i)) & 0xff;
  code = nmp_send_plain(out, count, sizeof count);
  return code == 0 ? DONE : fail("send", code, SEND_FAILED);
}

static int source(int out, uint64_t count, size_t size) {
  char *message = (char *)malloc(size > 0 ? size : 1);
  int code = 0;
  if (message == NULL) return fail("allocate", -ENOMEM, NO_MEMORY);
  for (size_t i = 0; i < size; i++) message[i] = (char)(i & 0xff);
  for (uint64_t i = 0; i < count && code == 0; i++) {
    code = nmp_send_plain(out, message, size);
  }
  free(message);
  return code == 0 ? DONE : fail("send", code, SEND_FAILED);
}

// Accepts a decimal number up to max, and nothing else.
static int parse(const char *text, uint64_t max, uint64_t *value) {
  char *end;
  if (text == NULL || text[0] < '0' || text[0] > '9') return 0;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *value <= max;
}

static int usage(void) {
  fputs("usage: echo FD [OUT_FD] [--sink | --source COUNT SIZE]\n", stderr);
  return USAGE;
}

int main(int argc, char **argv) {
  uint64_t in, out, count, size;
  int next = 2;
  if (argc < 2 || !parse(argv[1], INT_MAX, &in)) return usage();
  out = in;
  if (next < argc && argv[next][0] != '-') {
    if (!parse(argv[next++], INT_MAX, &out)) return usage();
  }
  nmp_ignore_sigpipe();
  if (next == argc) return echo((int)in, (int)out);
  if (strcmp(argv[next], "--sink") == 0 && argc == next + 1) {
    return sink((int)in, (int)out);
  }
  if (strcmp(argv[next], "--source") == 0 && argc == next + 3 &&
      parse(argv[next + 1], UINT64_MAX, &count) && parse(argv[next + 2], SIZE_MAX, &size)) {
    return source((int)out, count, (size_t)size);
  }
  return usage();
}
