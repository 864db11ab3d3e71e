// SPDX-License-Identifier: MIT
//
// The Node side of tests of queues, with the commands of queue_peer.py. Its argument names the methods that it uses:
// async or sync.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { attach, type QueueDescriptor } from 'node-multiprocessing';

import type { Mode } from '../helpers/channels.js';
import { QueueCalls } from '../interop/support/queue-calls.js';

const mode = process.argv[2] as Mode;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
const queue = attach(JSON.parse(first.value as string) as QueueDescriptor & { type: 'JoinableQueue' });
const calls = new QueueCalls(queue, mode);

// With the async methods, commands run side by side, as the threads of queue_peer.py do.
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const { id, do: target, args } = JSON.parse(line) as { id: number; do: string; args: unknown[] };
  const done = calls
    .run(target, ...args)
    .then(
      (result) => ({ id, result: result ?? null }),
      (error: unknown) => ({ id, error: (error as { code?: string }).code, message: String(error) }),
    )
    // Written at once, since a blocking call may follow.
    .then((reply) => writeSync(1, `${JSON.stringify(reply)}\n`));
  if (mode === 'sync') await done;
}
queue.close();
