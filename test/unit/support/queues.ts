// SPDX-License-Identifier: MIT

/** Runs `body` with a queue, which is closed afterwards. */
export async function withQueue<Q extends { close(): void }>(queue: Q, body: (queue: Q) => unknown): Promise<void> {
  try {
    await body(queue);
  } finally {
    queue.close();
  }
}
