// SPDX-License-Identifier: MIT
//
// Makes a queue, starts a producer and a consumer, and does nothing with the queue. A message on descriptor 3 starts
// the producer, one on 4 ends this process, and the consumer reports on 5.
import { writeSync } from 'node:fs';

import { Connection, describe, Process, Queue, type QueueDescriptor } from 'node-multiprocessing';

const COUNT = 10_000;

const gate = Connection.fromFd<never, string>(3);
const end = Connection.fromFd<never, string>(4);
const results = Connection.fromFd<string, never>(5);
const module = new URL('./queue-roles.js', import.meta.url);

const queue = new Queue<number>();
const consumer = new Process({ module, target: 'getNumbers', args: [queue, COUNT, results] });
const producer = new Process({ module, target: 'putNumbersWhenTold', args: [queue, COUNT, gate] });
for (const child of [consumer, producer]) child.start();
for (const connection of [gate, results]) connection.close();

writeSync(
  1,
  `${JSON.stringify({ pid: process.pid, pipe: (describe(queue, { nodeOnly: true }) as QueueDescriptor).reader.descriptor.fd })}\n`,
);
// Until the test has seen enough.
await end.recv().catch(() => undefined);
for (const child of [consumer, producer]) await child.join();
queue.close();
end.close();
