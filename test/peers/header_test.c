// SPDX-License-Identifier: MIT
//
// Checks how interop/c/node_multiprocessing.h sends and receives messages;
// descriptor_test.c checks the rest. Valid as C and as C++. Prints TAP. Exit
// code 0 when all checks passed, else 1; SIGALRM ends a run that hangs.

#include "tap.h"

// The allocations of the header are counted here, since a limit of the system
// would not do: unused memory is not counted, and sanitizers need address space.
static size_t largest_request;
static int requests;
static void *counted_realloc(void *old, size_t size) {
  requests++;
  if (size > largest_request) largest_request = size;
  return realloc(old, size);
}
#define realloc counted_realloc
#include "node_multiprocessing.h"
#undef realloc

static const size_t sizes[] = {0, 1, 4092, 4096, 16384, 16385, 65536, MIB};
enum { SIZES = sizeof sizes / sizeof sizes[0] };
static const char *const kinds[] = {"pipe", "socketpair"};

// A pipe that holds these bytes and then ends. Returns its reading end.
static int recorded(const void *bytes, size_t len) {
  int ends[2];
  open_channel(0, ends);
  raw_write(ends[1], bytes, len);
  close(ends[1]);
  return ends[0];
}

// Runs the other side in a child that has only its own end.
static pid_t start(int own, int others, int (*run)(int fd, size_t len), size_t len) {
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) {
    close(others);
    _exit(run(own, len));
  }
  close(own);
  return pid;
}

static int send_thrice(int fd, size_t len) {
  char *message = make_message(len);
  int bad = nmp_send(fd, message, len) != 0;
  bad |= nmp_send_plain(fd, message, len) != 0;
  bad |= nmp_send(fd, len == 0 ? NULL : message, len) != 0;
  free(message);
  return bad;
}

static void test_round_trip(int is_socket, int flag, size_t size) {
  int ends[2];
  size_t len = 99, half = size / 2;
  char *taken = NULL, *buffer = make_message(size);
  open_channel(is_socket, ends);
  for (int i = 0; i < 2; i++) {
    must(fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | flag), "F_SETFL");
  }
  const pid_t pid = start(ends[1], ends[0], send_thrice, size);
  int good = nmp_recv_alloc(ends[0], size, &taken, &len) == 0;
  good &= matches(taken, len, size);
  memset(buffer, 0, size);
  good &= nmp_recv(ends[0], buffer, size, &len) == 0;
  good &= matches(buffer, len, size);
  memset(buffer, 0, size);
  good &= nmp_recv_size(ends[0], &len) == 0;
  good &= nmp_recv_body(ends[0], buffer, half) == 0;
  good &= nmp_recv_body(ends[0], buffer + half, size - half) == 0;
  good &= matches(buffer, len, size);
  good &= nmp_recv_size(ends[0], &len) == NMP_EOF;
  good &= nmp_recv(ends[0], buffer, size, &len) == NMP_EOF;
  good &= (fcntl(ends[0], F_GETFL) & O_NONBLOCK) == flag;
  check(exited_well(pid) && good, "%s, %sblocking: %lu bytes, end of data", kinds[is_socket],
        flag ? "non-" : "", (unsigned long)size);
  free(taken);
  free(buffer);
  close(ends[0]);
}

static void test_wire(void) {
  static const char wide[] = "\377\377\377\377\0\0\0\0\0\0\0\3abc\377\377\377\377\0\0\0\0\0\0\0\0";
  unsigned char header[12];
  char bytes[16];
  size_t len;
  int ends[2];
  open_channel(0, ends);
  int good = nmp_send(ends[1], "hi", 2) == 0;
  good &= read(ends[0], bytes, sizeof bytes) == 6;
  good &= memcmp(bytes, "\0\0\0\2hi", 6) == 0;
  check(good, "a short message is its 32-bit length and its bytes");
  close(ends[0]);
  close(ends[1]);
  good = nmp_encode_header_(0x7fffffff, header) == 4;
  good &= memcmp(header, "\177\377\377\377", 4) == 0;
  good &= nmp_encode_header_(0x80000000, header) == 12;
  good &= memcmp(header, "\377\377\377\377\0\0\0\0\200\0\0\0", 12) == 0;
  check(good, "above 2^31-1 the length has 64 bits");
  const int fd = recorded(wide, sizeof wide - 1);
  good = nmp_recv(fd, bytes, sizeof bytes, &len) == 0 && len == 3;
  good &= memcmp(bytes, "abc", 3) == 0;
  good &= nmp_recv(fd, bytes, sizeof bytes, &len) == 0 && len == 0;
  good &= nmp_recv(fd, bytes, sizeof bytes, &len) == NMP_EOF;
  check(good, "the 64-bit form is accepted for short messages");
  close(fd);
}

static void expect(int expected, const char *name, const void *bytes, size_t len) {
  const int fd = recorded(bytes, len);
  char *message = NULL;
  size_t size;
  largest_request = 0;
  const int code = nmp_recv_alloc(fd, SIZE_MAX, &message, &size);
  check(code == expected && message == NULL && largest_request <= MIB, "%s, %lu bytes in all: %s",
        name, (unsigned long)len, nmp_strerror(code));
  close(fd);
}

static void test_bad_streams(void) {
  static const char wide[] = "\377\377\377\377\0\0\0\0\0\0\0\3ab";
  static const char narrow[] = "\0\0\0\3ab";
  for (size_t i = 0; i < sizeof wide; i++) {
    expect(i ? NMP_TRUNCATED : NMP_EOF, "long form cut", wide, i);
  }
  for (size_t i = 0; i < sizeof narrow; i++) {
    expect(i ? NMP_TRUNCATED : NMP_EOF, "short form cut", narrow, i);
  }
  expect(NMP_BAD_LENGTH, "-2", "\377\377\377\376abcdefgh", 12);
  expect(NMP_BAD_LENGTH, "-2^31", "\200\0\0\0abcdefgh", 12);
  expect(NMP_BAD_LENGTH, "2^63", "\377\377\377\377\200\0\0\0\0\0\0\0", 12);
  expect(NMP_BAD_LENGTH, "2^64-1", "\377\377\377\377\377\377\377\377\377\377\377\377", 12);
  expect(NMP_TRUNCATED, "1 GiB announced", "\100\0\0\0abcdefghij", 14);
  expect(sizeof(size_t) > 4 ? NMP_TRUNCATED : NMP_BAD_LENGTH, "1 TiB announced",
         "\377\377\377\377\0\0\1\0\0\0\0\0abcdefghij", 22);
}

static void test_too_big(void) {
  static const char two[] = "\0\0\0\5hello\0\0\0\2ok";
  int fd = recorded(two, sizeof two - 1);
  char bytes[8], *message = NULL;
  size_t len = 0, cap = 0;
  int good = nmp_recv(fd, bytes, 4, &len) == NMP_TOO_BIG && len == 5;
  good &= nmp_recv_body(fd, bytes, 5) == 0 && memcmp(bytes, "hello", 5) == 0;
  good &= nmp_recv(fd, bytes, 2, &len) == 0 && memcmp(bytes, "ok", 2) == 0;
  check(good, "a buffer that is too small loses nothing");
  close(fd);
  fd = recorded(two, sizeof two - 1);
  requests = 0;
  good = nmp_recv_alloc(fd, 4, &message, &len) == NMP_TOO_BIG && len == 5;
  good &= message == NULL && requests == 0;
  good &= nmp_recv_body(fd, bytes, 5) == 0 && memcmp(bytes, "hello", 5) == 0;
  good &= nmp_recv_grow(fd, 2, &message, &cap, &len) == 0 && len == 2;
  check(good, "above max_bytes nothing is allocated and nothing is lost");
  free(message);
  close(fd);
}

static void test_growth(void) {
  int ends[2];
  char *message = (char *)malloc(100);
  size_t cap = 100, len = 0;
  open_channel(1, ends);
  const pid_t pid = start(ends[1], ends[0], send_thrice, 5 * MIB);
  requests = 0;
  largest_request = 0;
  int good = nmp_recv_grow(ends[0], SIZE_MAX, &message, &cap, &len) == 0;
  good &= matches(message, len, 5 * MIB) && cap == 5 * MIB;
  check(good && requests == 4 && largest_request == 5 * MIB,
        "a buffer doubles from 1 MiB up to the length of the message");
  good = nmp_recv_grow(ends[0], SIZE_MAX, &message, &cap, &len) == 0;
  good &= nmp_recv_grow(ends[0], SIZE_MAX, &message, &cap, &len) == 0;
  good &= matches(message, len, 5 * MIB) && exited_well(pid);
  check(good && requests == 4, "a buffer that is large enough is reused");
  free(message);
  close(ends[0]);
}

static int dribble(int fd, size_t len) {
  char frame[68] = {0, 0, 0, 64};
  for (size_t i = 0; i < len; i++) frame[4 + i] = pattern(i);
  for (size_t i = 0; i < sizeof frame; i++) {
    kill(getppid(), SIGUSR1);
    raw_write(fd, frame + i, 1);
  }
  return 0;
}

static int sip(int fd, size_t len) {
  char *message = make_message(len);
  size_t got = 0, size = 0;
  int bad = nmp_recv_size(fd, &size) != 0 || size != len;
  for (; !bad && got < len; got += 4096) {
    kill(getppid(), SIGUSR1);
    bad = nmp_recv_body(fd, message + got, 4096) != 0;
  }
  bad |= !matches(message, got, len);
  free(message);
  return bad;
}

static void test_signals(int is_socket) {
  int ends[2];
  char bytes[64], *message = make_message(MIB);
  size_t len = 0;
  count_signal(SIGUSR1);
  open_channel(is_socket, ends);
  pid_t pid = start(ends[1], ends[0], dribble, 64);
  int good = nmp_recv(ends[0], bytes, 64, &len) == 0 && matches(bytes, len, 64);
  check(exited_well(pid) && good && signals > 0, "%s: signals do not disturb receiving",
        kinds[is_socket]);
  close(ends[0]);
  count_signal(SIGUSR1);
  open_channel(is_socket, ends);
  pid = start(ends[0], ends[1], sip, MIB);
  good = nmp_send(ends[1], message, MIB) == 0;
  check(exited_well(pid) && good && signals > 0, "%s: signals do not disturb sending",
        kinds[is_socket]);
  free(message);
  close(ends[1]);
}

int main(void) {
  guard_run();
  for (int is_socket = 0; is_socket < 2; is_socket++) {
    for (int i = 0; i < SIZES; i++) {
      test_round_trip(is_socket, 0, sizes[i]);
      test_round_trip(is_socket, O_NONBLOCK, sizes[i]);
    }
    test_signals(is_socket);
  }
  test_wire();
  test_bad_streams();
  test_too_big();
  test_growth();
  return finish();
}
