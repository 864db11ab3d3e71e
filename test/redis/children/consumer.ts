// SPDX-License-Identifier: MIT
//
//   node consumer.js <port> <queue>
//
// Takes items and finishes them, one after the other, until the queue is shut down. Prints each item with the number of
// its deliveries before it finishes it.
import { ShutDown } from 'node-multiprocessing';
import { RedisJoinableQueue } from 'node-multiprocessing/redis';

import { connect } from '../support/server.js';

const [, , port, name] = process.argv as [string, string, string, string];
const { client, close } = await connect(Number(port));
const queue = new RedisJoinableQueue<number>({ client, name });
for (;;) {
  const lease = await queue.getLease().catch((error: unknown) => {
    if (error instanceof ShutDown) return undefined;
    throw error;
  });
  if (lease === undefined) break;
  await new Promise((resolve) => process.stdout.write(`${lease.item} ${lease.deliveries}\n`, resolve));
  await lease.done();
}
await queue.close();
close();
