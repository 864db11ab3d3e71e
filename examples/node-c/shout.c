// SPDX-License-Identifier: MIT
//
// Receives messages on descriptor 3, sends each back in capitals and ends when
// the other side closes its end.

#include <stdlib.h>

#include "node_multiprocessing.h"

int main(void) {
  char *text;
  size_t len;
  int code;
  while ((code = nmp_recv_alloc(3, NMP_DEFAULT_MAX_BYTES, &text, &len)) == 0) {
    for (size_t i = 0; i < len; i++)
      if (text[i] >= 'a' && text[i] <= 'z') text[i] -= 'a' - 'A';
    code = nmp_send(3, text, len);
    free(text);
    if (code != 0) break;
  }
  return code == NMP_EOF ? 0 : 1;
}
