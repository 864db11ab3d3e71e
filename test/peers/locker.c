// SPDX-License-Identifier: MIT
//
// locker <name> <file> <rounds>: a C program that shares a lock. Each round increments the number
// in a file while it holds the semaphore of this name. The program uses nothing of this package.
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  sem_t *lock = sem_open(argv[1], 0);
  if (lock == SEM_FAILED) fail("sem_open");
  int fd = open(argv[2], O_RDWR);
  if (fd < 0) fail("open");
  puts("ready");
  fflush(stdout);
  for (long left = strtol(argv[3], NULL, 10); left > 0; left--) {
    while (sem_wait(lock) != 0)
      if (errno != EINTR) fail("sem_wait");
    uint64_t value;
    if (pread(fd, &value, sizeof value, 0) != sizeof value) fail("pread");
    value++;
    if (pwrite(fd, &value, sizeof value, 0) != sizeof value) fail("pwrite");
    if (sem_post(lock) != 0) fail("sem_post");
  }
  sem_close(lock);
  return 0;
}
