// SPDX-License-Identifier: MIT
//
//   node member.js <address> consume <queue>
//   node member.js <address> produce <queue> <id>
//
// A member of a queue over Redis which goes on whatever happens to Redis, and prints what it does. A consumer gets items
// and finishes them, until the queue is shut down: `got <item>`, then `done <item>`, or `late <item>` if its
// lease had run out. A producer puts `<id>-0`, `<id>-1` and so on, until it is killed or the queue is shut down:
// `try <item>`, `again <item>` if an attempt may have been put, and `did <item>`.
import { ShutDown, TaskDoneError } from 'node-multiprocessing';
import { RedisError, RedisJoinableQueue } from 'node-multiprocessing/redis';

import { connect } from '../support/server.js';

const [, , address, role, name, id] = process.argv as [string, string, string, string, string, string];
const [host, port] = address.split(':') as [string, string];
const { client, close } = await connect(Number(port), 'redis', host);
const queue = new RedisJoinableQueue<string>({ client, name, serialization: 'json' });

function print(line: string): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(`${line}\n`, () => resolve()));
}

/** Repeats a call until Redis has answered it. */
async function repeat<T>(call: () => Promise<T>, onUncertain?: () => Promise<void>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      if (error.uncertain) await onUncertain?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function consume(): Promise<void> {
  for (;;) {
    const lease = await repeat(() => queue.getLease());
    const { item, deliveries } = lease;
    await print(`got ${item} ${deliveries}`);
    const end = await repeat(() => lease.done()).then(
      () => 'done',
      (error: unknown) => {
        if (error instanceof TaskDoneError) return 'late';
        throw error;
      },
    );
    await print(`${end} ${item}`);
  }
}

async function produce(): Promise<void> {
  for (let n = 0; ; n++) {
    const item = `${id}-${n}`;
    await print(`try ${item}`);
    await repeat(
      () => queue.put(item),
      () => print(`again ${item}`),
    );
    await print(`did ${item}`);
  }
}

await (role === 'consume' ? consume() : produce()).catch((error: unknown) => {
  if (!(error instanceof ShutDown)) throw error;
});
await queue.close();
close();
