// SPDX-License-Identifier: MIT
//
// Queues as words on a command line: READER,WRITER,RLOCK,WLOCK,PLACES,MAXSIZE and for
// a JoinableQueue also UNFINISHED,LOCK,SLEEPING,WOKEN,WAIT. A "-" stands for a part that
// is missing. test/helpers/queue-words.ts makes them.

#ifndef NODE_MULTIPROCESSING_TEST_QUEUE_WORDS_H_
#define NODE_MULTIPROCESSING_TEST_QUEUE_WORDS_H_

#include <stdlib.h>
#include <string.h>

#include "node_multiprocessing.h"

enum { QUEUE_PARTS = 11 };

static inline int open_queue(struct nmp_queue *queue, char *text) {
  struct nmp_queue_parts parts;
  char *words[QUEUE_PARTS] = {NULL};
  int count = 0;
  for (char *word = strtok(text, ","); word != NULL && count < QUEUE_PARTS;
       word = strtok(NULL, ",")) {
    words[count++] = strcmp(word, "-") == 0 ? NULL : word;
  }
  if (count < 6) return -EINVAL;
  parts.reader = words[0] == NULL ? -1 : atoi(words[0]);
  parts.writer = words[1] == NULL ? -1 : atoi(words[1]);
  parts.rlock = words[2];
  parts.wlock = words[3];
  parts.places = words[4];
  parts.maxsize = words[5] == NULL ? 0 : atoi(words[5]);
  parts.unfinished = words[6];
  parts.lock = words[7];
  parts.sleeping = words[8];
  parts.woken = words[9];
  parts.wait = words[10];
  return nmp_queue_open(queue, &parts);
}

#endif  // NODE_MULTIPROCESSING_TEST_QUEUE_WORDS_H_
