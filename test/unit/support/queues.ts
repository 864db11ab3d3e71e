// SPDX-License-Identifier: MIT
import { attach, describe, type JoinableQueue } from 'node-multiprocessing';

/** Runs `body` with a queue, which is closed afterwards. */
export async function withQueue<Q extends { close(): void }>(queue: Q, body: (queue: Q) => unknown): Promise<void> {
  try {
    await body(queue);
  } finally {
    queue.close();
  }
}

/** The options of a queue with leases that is soon full. */
export const small = { leases: true, leaseBytes: 64 * 1024 } as const;

/** A second member of a queue with leases in this thread: a consumer of its own. */
export function second<T>(queue: JoinableQueue<T>): JoinableQueue<T> {
  return attach(describe(queue, { nodeOnly: true })) as JoinableQueue<T>;
}
