// SPDX-License-Identifier: MIT
//
// Members of the chaos harness in C. They write what test/stress/chaos/ledger.ts
// describes.
//
//   chaos_member produce|consume FOLDER SLOT MEMBER SIZES queue WORDS
//   chaos_member produce|consume FOLDER SLOT MEMBER SIZES pipe FD
//
// SIZES are the lengths of the items, with commas; WORDS are those of queue_words.h.
// Items of a queue are pickles of bytes objects, and None ends a consumer; those of a
// pipe are bare bytes. In a queue a member ends at SIGTERM between two items: a C
// program keeps no records, so a kill inside of a call is the end of the queue.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node_multiprocessing.h"
#include "queue_words.h"

enum { PUT = 1, GOT = 2, TORN = 3, RECORD = 16, SHORTEST = 12, MOST_SIZES = 16 };
enum { STOP = 1, REST = 2, REST_MS = 5, LOOK_MS = 50 };

// Protocol 3 and BINBYTES with a length of 4 bytes come before the bytes, STOP behind.
enum { BEFORE = 7, BEHIND = 1 };

static struct {
  const char *folder;
  uint32_t slot, member, steps;
  int ledger, board;
  unsigned char order;
  int64_t shown;
} place;

static struct {
  int fd;  // Of a pipe; -1 for a queue.
  struct nmp_queue queue;
} channel = {.fd = -1};

static volatile sig_atomic_t terminated;

static void terminate(int number) {
  (void)number;
  terminated = 1;
}

static int open_file(const char *name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", place.folder, name);
  return open(path, flags | O_CLOEXEC);
}

static void store(unsigned char *to, uint32_t number) {
  for (int i = 0; i < 4; i++) to[i] = (unsigned char)(number >> 8 * i);
}

static uint32_t load(const unsigned char *from) {
  return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void must(int good) {
  if (!good) abort();
}

static void write_entry(uint32_t kind, uint32_t producer, uint32_t number) {
  unsigned char record[RECORD];
  store(record, kind);
  store(record + 4, place.member);
  store(record + 8, producer);
  store(record + 12, number);
  must(write(place.ledger, record, RECORD) == RECORD);
}

// Shows that the member has made progress. Returns whether it is to stop.
static int step(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  place.steps++;
  if (place.steps <= 2 || ms != place.shown) {
    unsigned char record[RECORD] = {0};
    place.shown = ms;
    store(record, place.member);
    store(record + 4, place.steps);
    must(pwrite(place.board, record, RECORD, (off_t)(place.slot + 1) * RECORD) == RECORD);
    must(pread(place.board, &place.order, 1, 0) == 1);
  }
  return terminated || place.order == STOP;
}

static int fail(const char *what, int code) {
  char line[256];
  const int fd = open_file("errors", O_WRONLY | O_APPEND);
  const int len =
      snprintf(line, sizeof line, "%u %s %s\n", (unsigned)place.member, what, nmp_strerror(code));
  must(write(fd, line, (size_t)len) == len);
  return 3;
}

static unsigned char filling(uint32_t producer, uint32_t number) {
  return (unsigned char)(producer * 31 + number * 7 + 1);
}

// Makes an item behind room for what comes before it in a pickle. Returns the length of the item.
static uint32_t make_item(unsigned char *buf, uint32_t number, uint32_t size) {
  unsigned char *const item = buf + BEFORE;
  if (size < SHORTEST) size = SHORTEST;
  memcpy(buf,
         "\x80\x03"
         "B",
         3);
  store(buf + 3, size);
  memset(item, filling(place.member, number), size);
  store(item, place.member);
  store(item + 4, number);
  store(item + 8, size);
  item[size] = '.';
  return size;
}

static void note_item(const unsigned char *item, size_t len) {
  if (len < SHORTEST) {
    write_entry(TORN, 0, 0);
    return;
  }
  const uint32_t producer = load(item), number = load(item + 4);
  int whole = load(item + 8) == len;
  for (size_t i = SHORTEST; i < len && whole; i++) whole = item[i] == filling(producer, number);
  write_entry(whole ? GOT : TORN, producer, number);
}

// Finds the bytes in the pickle of a bytes or bytearray object, of any protocol. Returns 0 for
// None.
static int unpickle(const unsigned char *pickle, size_t len, const unsigned char **item,
                    size_t *item_len) {
  size_t at = 0;
  *item = pickle;
  *item_len = 0;
  while (at < len) {
    const unsigned char opcode = pickle[at++];
    size_t size = 0, width = 0;
    if (opcode == 'N') return 0;
    if (opcode == 0x80) at += 1;                      // PROTO
    if (opcode == 0x95) at += 8;                      // FRAME
    if (opcode == 'C') width = 1;                     // SHORT_BINBYTES
    if (opcode == 'B') width = 4;                     // BINBYTES
    if (opcode == 0x8e || opcode == 0x96) width = 8;  // BINBYTES8, BYTEARRAY8
    if (width == 0) continue;
    if (len - at < width) return 1;
    for (size_t i = 0; i < width; i++) size |= (size_t)pickle[at + i] << 8 * i;
    at += width;
    if (len - at < size) return 1;
    *item = pickle + at;
    *item_len = size;
    return 1;
  }
  return 1;
}

static int produce(const uint32_t *sizes, int count) {
  uint32_t longest = SHORTEST;
  for (int i = 0; i < count; i++) longest = sizes[i] > longest ? sizes[i] : longest;
  unsigned char *const buf = (unsigned char *)malloc(BEFORE + longest + BEHIND);
  must(buf != NULL);
  for (uint32_t number = 0; !step(); number++) {
    const struct timespec rest = {0, REST_MS * 1000000};
    int code;
    if (place.order == REST) nanosleep(&rest, NULL);
    const size_t len = make_item(buf, number, sizes[number % (uint32_t)count]);
    if (channel.fd >= 0) {
      code = nmp_send(channel.fd, buf + BEFORE, len);
      // The reader was killed.
      if (code == -EPIPE || code == -ECONNRESET) break;
    } else {
      do {
        code = nmp_queue_put(&channel.queue, buf, BEFORE + len + BEHIND, LOOK_MS);
      } while (code == NMP_FULL && !terminated);
      if (code == NMP_FULL) break;
    }
    if (code != 0) return fail("PUT", code);
    write_entry(PUT, place.member, number);
  }
  free(buf);
  return 0;
}

static int consume(void) {
  char *buf = NULL;
  size_t cap = 0, len;
  for (;;) {
    int code, more = 1;
    if (channel.fd >= 0) {
      code = nmp_recv_grow(channel.fd, NMP_DEFAULT_MAX_BYTES, &buf, &cap, &len);
      // The writer has ended, or was killed, maybe inside of a message.
      if (code == NMP_EOF || code == NMP_TRUNCATED) break;
      if (code != 0) return fail("GET", code);
      note_item((unsigned char *)buf, len);
    } else {
      const unsigned char *item;
      size_t item_len;
      do {
        code = nmp_queue_get_grow(&channel.queue, NMP_DEFAULT_MAX_BYTES, &buf, &cap, &len, LOOK_MS);
      } while (code == NMP_EMPTY && !terminated);
      if (code == NMP_EMPTY) break;
      if (code != 0) return fail("GET", code);
      more = unpickle((unsigned char *)buf, len, &item, &item_len);
      if (more) note_item(item, item_len);
      if (channel.queue.unfinished != NULL) code = nmp_queue_task_done(&channel.queue, -1);
      if (code != 0) return fail("TASK_DONE", code);
    }
    if (!more) break;
    step();
    if (channel.fd < 0 && terminated) break;
  }
  free(buf);
  return 0;
}

int main(int argc, char **argv) {
  uint32_t sizes[MOST_SIZES];
  int count = 0, code = 0;
  if (argc != 8) return 2;
  place.folder = argv[2];
  place.slot = (uint32_t)atoi(argv[3]);
  place.member = (uint32_t)atoi(argv[4]);
  place.ledger = open_file("ledger", O_WRONLY | O_APPEND);
  place.board = open_file("board", O_RDWR);
  must(place.ledger >= 0 && place.board >= 0);
  for (char *word = strtok(argv[5], ","); word != NULL && count < MOST_SIZES;
       word = strtok(NULL, ",")) {
    sizes[count++] = (uint32_t)atol(word);
  }
  nmp_ignore_sigpipe();
  if (strcmp(argv[6], "pipe") == 0) {
    channel.fd = atoi(argv[7]);
  } else {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = terminate;
    sigaction(SIGTERM, &action, NULL);
    code = open_queue(&channel.queue, argv[7]);
  }
  if (code != 0) return fail("OPEN", code);
  if (strcmp(argv[1], "produce") == 0) return produce(sizes, count);
  step();
  return consume();
}
