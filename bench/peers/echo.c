// SPDX-License-Identifier: MIT
//
// The yardstick: both ends of a link in C, blocking system calls and nothing else.
//
// A message is CPython's frame: a 4-byte big-endian length, then the payload. It is sent with one
// writev and received with one read for the header and one for the payload, which is what
// multiprocessing.connection does and what any blocking implementation of this wire needs without
// reading ahead.
//
//   echo <socketpair|pipe>[-large] <round-trip|one-way> <size> <batch> <warm-up ms> <measured ms>
//
// "-large": with large kernel buffers.
//
// Prints one line of JSON: the nanoseconds per operation of each measured batch.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What this package asks for at the first large message. */
static const int large_socket = 2 * 1024 * 1024;
static const int large_pipe = 1024 * 1024;

enum { MAX_BATCHES = 100000, MIN_BATCHES = 5 };

struct link {
  int read_fd;
  int write_fd;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Returns 0 at the end of the stream, which is an error anywhere but before a header. */
static int read_exactly(int fd, void *target, size_t size) {
  char *next = target;
  while (size > 0) {
    ssize_t got = read(fd, next, size);
    if (got == 0) return 0;
    if (got < 0) {
      if (errno == EINTR) continue;
      fail("read");
    }
    next += got;
    size -= (size_t)got;
  }
  return 1;
}

static void send_message(int fd, char *payload, size_t size) {
  uint32_t header = htonl((uint32_t)size);
  struct iovec parts[2] = {{&header, sizeof header}, {payload, size}};
  struct iovec *part = parts;
  int count = 2;
  while (count > 0) {
    ssize_t written = writev(fd, part, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("writev");
    }
    while (count > 0 && (size_t)written >= part->iov_len) {
      written -= (ssize_t)part->iov_len;
      part++;
      count--;
    }
    if (count > 0) {
      part->iov_base = (char *)part->iov_base + written;
      part->iov_len -= (size_t)written;
    }
  }
}

/* Returns the payload's length, or -1 when the other side has closed. */
static ssize_t receive_message(int fd, char *target, size_t capacity) {
  uint32_t header;
  if (!read_exactly(fd, &header, sizeof header)) return -1;
  size_t size = ntohl(header);
  if (size > capacity) {
    fprintf(stderr, "message of %zu bytes for a buffer of %zu\n", size, capacity);
    exit(1);
  }
  if (!read_exactly(fd, target, size)) fail("end of stream inside a message");
  return (ssize_t)size;
}

/*
 * Memory at an odd place in its page. Copying between it and the kernel's pages takes twice as long
 * on some processors when both addresses are the same modulo 4096 but for the 4 bytes of the
 * header, which is what malloc() gives for large sizes.
 */
static char *make_buffer(size_t size) {
  char *pages = aligned_alloc(4096, (size / 4096 + 2) * 4096);
  if (pages == NULL) fail("aligned_alloc");
  return pages + 2048;
}

/* Two links that face each other: what the one end writes the other reads. */
static void make_links(const char *kind, struct link *parent, struct link *child) {
  int there[2];
  int back[2];
  int large = strstr(kind, "-large") != NULL;
  if (strncmp(kind, "socketpair", 10) == 0) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, there) != 0) fail("socketpair");
    for (int i = 0; large && i < 2; i++)
      if (setsockopt(there[i], SOL_SOCKET, SO_SNDBUF, &large_socket, sizeof large_socket) != 0)
        fail("setsockopt");
    *parent = (struct link){there[0], there[0]};
    *child = (struct link){there[1], there[1]};
    return;
  }
  if (pipe(there) != 0 || pipe(back) != 0) fail("pipe");
  if (large && (fcntl(there[1], F_SETPIPE_SZ, large_pipe) < 0 ||
                fcntl(back[1], F_SETPIPE_SZ, large_pipe) < 0))
    fail("F_SETPIPE_SZ");
  *parent = (struct link){back[0], there[1]};
  *child = (struct link){there[0], back[1]};
}

static void close_link(struct link link) {
  close(link.read_fd);
  if (link.write_fd != link.read_fd) close(link.write_fd);
}

/* In a one-way run the child answers one byte after each batch, so that the parent's clock covers
 * the last delivery. */
static void serve(struct link link, int one_way, size_t size, long batch) {
  char *buffer = make_buffer(size);
  char ack = 1;
  for (long received = 0;;) {
    ssize_t length = receive_message(link.read_fd, buffer, size);
    if (length < 0) exit(0);
    if (!one_way) {
      send_message(link.write_fd, buffer, (size_t)length);
    } else if (++received == batch) {
      received = 0;
      send_message(link.write_fd, &ack, 1);
    }
  }
}

static void run_batch(struct link link, int one_way, char *payload, char *reply, size_t size,
                      long batch) {
  for (long i = 0; i < batch; i++) {
    send_message(link.write_fd, payload, size);
    if (!one_way) receive_message(link.read_fd, reply, size);
  }
  if (one_way) receive_message(link.read_fd, reply, size);
}

/* The processor time of both processes. */
static int64_t cpu_ns(pid_t child) {
  clockid_t clock;
  struct timespec ours, theirs;
  if (clock_getcpuclockid(child, &clock) != 0) fail("clock_getcpuclockid");
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ours);
  clock_gettime(clock, &theirs);
  return (int64_t)(ours.tv_sec + theirs.tv_sec) * 1000000000 + ours.tv_nsec + theirs.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr,
            "usage: echo socketpair|pipe[-large] round-trip|one-way size batch warm-up-ms "
            "measured-ms\n");
    return 2;
  }
  int one_way = strcmp(argv[2], "one-way") == 0;
  size_t size = (size_t)atol(argv[3]);
  long batch = atol(argv[4]);
  int64_t warm_up_ns = atoll(argv[5]) * 1000000;
  int64_t measured_ns = atoll(argv[6]) * 1000000;

  struct link parent, child;
  make_links(argv[1], &parent, &child);
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    close_link(parent);
    serve(child, one_way, size, batch);
  }
  close_link(child);

  char *payload = make_buffer(size);
  char *reply = make_buffer(size);
  static double samples[MAX_BATCHES];
  for (size_t i = 0; i < size; i++) payload[i] = (char)(i * 31 + 7);

  for (int64_t start = now_ns(); now_ns() - start < warm_up_ns;)
    run_batch(parent, one_way, payload, reply, size, batch);
  int count = 0;
  int64_t cpu = cpu_ns(pid);
  for (int64_t start = now_ns();
       count < MIN_BATCHES || (now_ns() - start < measured_ns && count < MAX_BATCHES); count++) {
    int64_t begin = now_ns();
    run_batch(parent, one_way, payload, reply, size, batch);
    samples[count] = (double)(now_ns() - begin) / (double)batch;
  }
  cpu = cpu_ns(pid) - cpu;
  if (!one_way && memcmp(payload, reply, size) != 0) {
    fprintf(stderr, "the echo differs from what was sent\n");
    return 1;
  }
  close_link(parent);
  waitpid(pid, NULL, 0);

  printf("{\"nsPerOperation\":[");
  for (int i = 0; i < count; i++) printf("%s%.1f", i == 0 ? "" : ",", samples[i]);
  printf("],\"cpuNs\":%.1f}\n", (double)cpu / (double)count / (double)batch);
  return 0;
}
