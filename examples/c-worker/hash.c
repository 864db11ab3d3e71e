// SPDX-License-Identifier: MIT
//
// hash RLOCK PLACES WLOCK PLACES: gets items from the queue on descriptor 3, puts
// the hash of each (FNV-1a) on the queue on descriptor 4, and ends at an empty
// item.

#include <stdio.h>
#include <stdlib.h>

#include "node_multiprocessing.h"

enum { MAXSIZE = 8 };

static int work(struct nmp_queue *jobs, struct nmp_queue *results) {
  char *item = NULL, text[16];
  size_t cap = 0, len;
  int code;
  while ((code = nmp_queue_get_grow(jobs, NMP_DEFAULT_MAX_BYTES, &item, &cap, &len, -1)) == 0) {
    uint32_t hash = 2166136261u;
    if (len == 0) break;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)item[i]) * 16777619u;
    const int digits = snprintf(text, sizeof text, "%08lx", (unsigned long)hash);
    code = nmp_queue_put(results, text, (size_t)digits, -1);
    if (code != 0) break;
  }
  free(item);
  return code;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const struct nmp_queue_parts from = {
      .reader = 3, .writer = -1, .rlock = argv[1], .places = argv[2], .maxsize = MAXSIZE};
  const struct nmp_queue_parts to = {
      .reader = -1, .writer = 4, .wlock = argv[3], .places = argv[4], .maxsize = MAXSIZE};
  struct nmp_queue jobs, results;
  int code = nmp_queue_open(&jobs, &from);
  if (code == 0) code = nmp_queue_open(&results, &to);
  if (code == 0) code = work(&jobs, &results);
  if (code != 0) fprintf(stderr, "hash: %s\n", nmp_strerror(code));
  return code != 0;
}
