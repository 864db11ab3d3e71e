// SPDX-License-Identifier: MIT
//
// semaphore_peer NAME: executes the commands on its standard input with the
// semaphore of this name, and prints the result of each.
//
//   wait MILLISECONDS | trywait | post | release HIGHEST | value
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_multiprocessing.h"

static int is(const char *line, const char *word) { return strncmp(line, word, strlen(word)) == 0; }

static int run(sem_t *sem, const char *line) {
  if (is(line, "wait ")) return nmp_sem_wait(sem, atoi(line + 5));
  if (is(line, "trywait")) return nmp_sem_trywait(sem);
  if (is(line, "post")) return nmp_sem_post(sem);
  if (is(line, "release ")) return nmp_sem_release(sem, atoi(line + 8));
  return -EINVAL;
}

int main(int argc, char **argv) {
  char line[64];
  sem_t *sem;
  int code = argc == 2 ? nmp_sem_open(argv[1], &sem) : -EINVAL;
  puts(code == 0 ? "ready" : nmp_strerror(code));
  fflush(stdout);
  while (code == 0 && fgets(line, sizeof line, stdin) != NULL) {
    if (is(line, "value")) {
      printf("%d\n", nmp_sem_value(sem));
    } else {
      const int result = run(sem, line);
      puts(result == 0 ? "done" : nmp_strerror(result));
    }
    fflush(stdout);
  }
  if (code == 0) code = nmp_sem_close(sem);
  return code != 0;
}
