// SPDX-License-Identifier: MIT
//
// fuzz_test [STREAMS] [SEED]: how interop/c reads streams of valid and of damaged
// messages. Each call must return what a model of the format says, and must not
// allocate much more memory than bytes have arrived. Valid as C and as C++. Prints
// TAP. Exit code 0 when all checks passed, else 1; SIGALRM ends a run that hangs,
// unless the number of streams is given.

#include <inttypes.h>
#include <pthread.h>

#include "tap.h"

static size_t largest_request;
static void *counted_realloc(void *old, size_t size) {
  if (size > largest_request) largest_request = size;
  return realloc(old, size);
}
#define realloc counted_realloc
#include "node_multiprocessing.h"
#undef realloc

#include "queues.h"

// A whole stream fits in a pipe, in whatever pieces it is written.
enum { LONGEST = 50000 };

static uint64_t state;

static uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % limit;
}

struct stream {
  unsigned char bytes[LONGEST];
  size_t len;
  size_t at;  // How much of it the model has read.
};

// Valid lengths of messages, and invalid ones.
static uint64_t any_length(void) {
  static const uint64_t special[] = {0x7fffffff,        0x80000000, 0xfffffffe,        0xffffffff,
                                     (uint64_t)1 << 40, INT64_MAX,  (uint64_t)1 << 63, UINT64_MAX};
  if (below(40) == 0) return special[below(8)];
  return below(3) == 0 ? below(4000) : below(20);
}

static void add_message(struct stream *s) {
  const uint64_t len = any_length();
  const int wide = below(4) == 0 || len > 0xffffffff;
  unsigned char header[12];
  const size_t size = wide ? 12 : 4;
  memset(header, 0xff, 4);
  for (size_t i = 0; i < (wide ? 8 : 4); i++) header[size - 1 - i] = len >> 8 * i & 0xff;
  const size_t body = len < 4000 ? (size_t)len : below(4000);
  memcpy(s->bytes + s->len, header, size);
  s->len += size;
  for (size_t i = 0; i < body; i++) s->bytes[s->len++] = (unsigned char)below(256);
}

// Messages some of whose bytes are changed, left out or cut off at the end.
static void make_stream(struct stream *s) {
  const uint32_t messages = below(12);
  s->len = s->at = 0;
  for (uint32_t i = 0; i < messages; i++) add_message(s);
  for (uint32_t i = below(4); i > 1 && s->len > 0; i--) {
    const size_t at = below((uint32_t)s->len);
    if (below(2) == 0) {
      s->bytes[at] = (unsigned char)below(256);
    } else {
      memmove(s->bytes + at, s->bytes + at + 1, --s->len - at);
    }
  }
  if (below(3) == 0) s->len = below((uint32_t)s->len + 1);
  if (below(8) == 0) {
    s->len = below(200);
    for (size_t i = 0; i < s->len; i++) s->bytes[i] = (unsigned char)below(below(2) ? 3 : 256);
  }
}

static uint64_t big_endian(const unsigned char *bytes, int count) {
  uint64_t value = 0;
  while (count-- > 0) value = value * 256 + *bytes++;
  return value;
}

// What receiving the next header must return, and the length in it.
static int model_header(struct stream *s, uint64_t *len) {
  const size_t left = s->len - s->at;
  if (left == 0) return NMP_EOF;
  if (left < 4) return NMP_TRUNCATED;
  *len = big_endian(s->bytes + s->at, 4);
  s->at += 4;
  if (*len < 0x80000000) return 0;
  if (*len != 0xffffffff) return NMP_BAD_LENGTH;
  if (left < 12) return NMP_TRUNCATED;
  *len = big_endian(s->bytes + s->at, 8);
  s->at += 8;
  return *len > PTRDIFF_MAX ? NMP_BAD_LENGTH : 0;
}

static void *write_bit_by_bit(void *argument) {
  struct stream *s = (struct stream *)((void **)argument)[0];
  const int fd = *(int *)((void **)argument)[1];
  for (size_t at = 0, step = 1; at < s->len; at += step, step = step % 700 + 3) {
    if (step > s->len - at) step = s->len - at;
    raw_write(fd, s->bytes + at, step);
  }
  close(fd);
  return NULL;
}

// Runs one reader over a stream that arrives at once or in pieces.
static int run(struct stream *s, int (*reads)(struct stream *s, int fd)) {
  int ends[2];
  pthread_t thread;
  struct stream copy = *s;
  void *arguments[] = {&copy, &ends[1]};
  open_channel(0, ends);
  const int threaded = below(4) == 0;
  if (threaded) {
    errno = pthread_create(&thread, NULL, write_bit_by_bit, arguments);
    must(-errno, "pthread_create");
  } else {
    write_bit_by_bit(arguments);
  }
  largest_request = 0;
  const int good = reads(s, ends[0]);
  if (threaded) pthread_join(thread, NULL);
  close(ends[0]);
  return good && largest_request <= MIB;
}

static int is_body(const struct stream *s, const char *got, size_t len) {
  return got != NULL && memcmp(got, s->bytes + s->at - len, len) == 0;
}

// Receives messages by all functions, up to the first invalid one.
static int read_messages(struct stream *s, int fd) {
  char *grown = NULL, fixed[1024];
  size_t cap = 0, len = 0;
  int good = 1, more = 1;
  while (good && more) {
    uint64_t announced = 0;
    const int expected = model_header(s, &announced);
    const int way = (int)below(3);
    const size_t limit = way == 2 ? sizeof fixed : below(2) ? below(3000) : SIZE_MAX;
    char *made = NULL;
    const int code = way == 0   ? nmp_recv_alloc(fd, limit, &made, &len)
                     : way == 1 ? nmp_recv_grow(fd, limit, &grown, &cap, &len)
                                : nmp_recv(fd, fixed, sizeof fixed, &len);
    const char *const got = way == 0 ? made : way == 1 ? grown : fixed;
    more = expected == 0 && announced <= s->len - s->at;
    if (expected != 0) {
      good = code == expected;
    } else if (announced > limit) {
      // The message is not lost, if there is memory for it.
      good = code == NMP_TOO_BIG && len == announced;
      if (more) {
        made = (char *)malloc(len + 1);
        good = good && nmp_recv_body(fd, made, len) == 0;
        s->at += len;
        good = good && is_body(s, made, len);
      }
    } else if (more) {
      s->at += (size_t)announced;
      good = code == 0 && len == announced && is_body(s, got, len);
    } else {
      good = code == NMP_TRUNCATED;
    }
    free(made);
  }
  free(grown);
  return good;
}

static struct queue_pair queue;

// Gets items by all functions, up to the end or the first invalid one.
static int read_items(struct stream *s, int fd) {
  struct nmp_queue *const q = &queue.getter;
  char *grown = NULL, fixed[1024];
  size_t cap = 0, len = 0;
  int good = 1, more = 1;
  q->reader = fd;
  q->broken = 0;
  while (good && more) {
    uint64_t announced = 0;
    int expected = model_header(s, &announced);
    const int way = (int)below(3);
    const size_t limit = way == 2 ? NMP_DEFAULT_MAX_BYTES : below(2) ? below(3000) : SIZE_MAX;
    char *made = NULL;
    nmp_sem_wait(q->places, -1);
    int code = way == 0   ? nmp_queue_get_alloc(q, limit, &made, &len, -1)
               : way == 1 ? nmp_queue_get_grow(q, limit, &grown, &cap, &len, 60000)
                          : nmp_queue_get(q, fixed, sizeof fixed, &len, -1);
    if (code == NMP_TOO_BIG) {
      // The item is kept for the next call.
      good = way == 2 && len == announced && len > sizeof fixed;
      code = nmp_queue_get_alloc(q, SIZE_MAX, &made, &len, 0);
    }
    const char *const got = way == 1 ? grown : made != NULL ? made : fixed;
    if (expected == 0 && announced > s->len - s->at) expected = NMP_TRUNCATED;
    more = expected == 0;
    if (more) s->at += (size_t)announced;
    if (more && announced > limit) {
      good = good && code == NMP_DROPPED && len == announced;
    } else if (more) {
      good = good && code == 0 && len == announced && is_body(s, got, len);
    } else {
      good = code == expected && nmp_queue_get(q, fixed, 1, &len, -1) == expected;
      nmp_sem_post(q->places);
    }
    good = good && is_idle(&queue, 7);
    free(made);
  }
  free(grown);
  return good;
}

int main(int argc, char **argv) {
  const int before = open_descriptors();
  const long streams = argc > 1 ? atol(argv[1]) : 3000;
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  static struct stream s;
  int good_messages = 1, good_items = 1;
  guard_run();
  if (argc > 1) alarm(0);
  state = seed * 0x9e3779b97f4a7c15u + 1;
  queue = make_queue(7, 0);
  close(queue.getter.reader);
  long i = 0;
  for (; i < streams && good_messages && good_items; i++) {
    make_stream(&s);
    good_messages = run(&s, read_messages);
    s.at = 0;
    good_items = run(&s, read_items);
  }
  check(good_messages, "messages of %ld streams, seed %" PRIu64, i, seed);
  check(good_items, "items of %ld streams, seed %" PRIu64, i, seed);
  queue.getter.reader = -1;
  close_queue(&queue);
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
