// SPDX-License-Identifier: MIT
//
//   node member.js <address> consume <queue>
//   node member.js <address> produce <queue> <id>
//
// A member of a queue over Redis which goes on whatever happens to Redis, and prints what it does. A consumer gets items
// and finishes them, until the queue is shut down: `got <item>`, then `done <item>`, or `late <item>` if its
// lease had run out. A producer puts `<id>-0`, `<id>-1` and so on, until it is killed or the queue is shut down:
// `try <item>`, `again <item>` if an attempt may have been put, and `did <item>`.
//
//   node member.js <address> hold <queue>
//   node member.js <address> feed <queue> <count>
//
// Members that follow their standard input. `hold` says `ready`, and for each `get` and `done` what a consumer says. `feed`
// puts the numbers from 0 on, says `put`, and `joined <counts>` after a join. For `leased` it says `leased 1` when an item is
// leased; for `more` it puts one more item, and ends when that is finished.
import { createInterface } from 'node:readline';

import { ShutDown, TaskDoneError } from 'node-multiprocessing';
import { RedisError, RedisJoinableQueue, type RedisLease } from 'node-multiprocessing/redis';

import { connect } from '../support/server.js';

const [, , address, role, name, id] = process.argv as [string, string, string, string, string, string];
const [host, port] = address.split(':') as [string, string];
const { client, close } = await connect(Number(port), 'redis', host);
const queue = new RedisJoinableQueue<string>({
  client,
  name,
  serialization: 'json',
  ...(role === 'feed' ? { leaseTime: 1500 } : {}),
});

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

async function get(): Promise<RedisLease<string>> {
  const lease = await repeat(() => queue.getLease());
  await print(`got ${lease.item} ${lease.deliveries}`);
  return lease;
}

async function finish(lease: RedisLease<string>): Promise<void> {
  const end = await repeat(() => lease.done()).then(
    () => 'done',
    (error: unknown) => {
      if (error instanceof TaskDoneError) return 'late';
      throw error;
    },
  );
  await print(`${end} ${lease.item}`);
}

async function consume(): Promise<void> {
  for (;;) await finish(await get());
}

const commands = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function hold(): Promise<void> {
  await queue.qsize();
  await print('ready');
  while (!(await commands.next()).done) {
    const lease = await get();
    await commands.next();
    await finish(lease);
  }
}

async function feed(): Promise<void> {
  for (let n = 0; n < Number(id); n++) await queue.put(`${n}`);
  await print('put');
  const joined = queue.join();
  const isLeased = async (): Promise<boolean> => (await queue.stats()).leased > 0;
  let next = commands.next();
  const more = await Promise.race([next, joined]);
  if (more?.value === 'leased') {
    while (!(await isLeased())) await new Promise((resolve) => setTimeout(resolve, 10));
    await print('leased 1');
    next = commands.next();
  }
  await joined;
  const { put, got, recoveries, unfinished, leased, depth } = await queue.stats();
  await print(`joined ${JSON.stringify({ put, got, recoveries, unfinished, leased, depth })}`);
  await next;
  await queue.put(id);
  await queue.join();
  await queue.shutdown();
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

const roles: Readonly<Record<string, () => Promise<void>>> = { consume, produce, hold, feed };
await (roles[role] as () => Promise<void>)().catch((error: unknown) => {
  if (!(error instanceof ShutDown)) throw error;
});
await queue.close();
close();
process.stdin.destroy();
