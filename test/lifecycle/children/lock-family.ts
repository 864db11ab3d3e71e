// SPDX-License-Identifier: MIT
//
// lock-family <ending>: starts a family with some objects, prints their descriptors, and ends in the named way:
// natural, exit, throw, or "stay" until it is killed. "worker" and "terminate" end a worker that made the objects;
// "collected" drops them.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import {
  attach,
  BoundedSemaphore,
  Condition,
  describe,
  Event,
  Lock,
  RLock,
  type SemLockDescriptor,
} from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { addressesOf, namesOfFamily } from '../support/locks.js';

const ending = process.argv[2];

/** In use until the process ends, unless the collector is to take them. */
const kept: unknown[] = [];

function make(): string[] {
  const held = new Lock();
  held.acquireSync();
  const objects = [held, new Lock(), new RLock(), new BoundedSemaphore(3), new Condition(), new Event()];
  if (ending !== 'collected') kept.push(objects);
  return objects.map((object) => JSON.stringify(describe(object, { nodeOnly: true })));
}

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** The semaphores that these descriptors name and that still exist. */
function left(made: readonly string[]): string[] {
  const addresses = made.flatMap((text) => addressesOf(JSON.parse(text)));
  const existing = new Set(namesOfFamily(addresses[0]!.family!));
  return addresses.map(({ name }) => `sem.${name.slice(1)}`).filter((name) => existing.has(name));
}

if (!isMainThread) {
  parentPort?.postMessage(make());
  if (ending === 'terminate') parentPort?.ref();
} else if (ending === 'worker' || ending === 'terminate') {
  // Keeps the process in its family.
  const own = new Lock();
  const worker = new Worker(new URL(import.meta.url), { argv: [ending] });
  const [made] = (await once(worker, 'message')) as [string[]];
  const ended = once(worker, 'exit');
  if (ending === 'terminate') await worker.terminate();
  await ended;
  say({ left: left(made), kept: left([JSON.stringify(describe(own, { nodeOnly: true }))]).length });
} else if (ending === 'collected') {
  const own = new Lock();
  const made = ((): string[] => [...make(), ...make()])();
  const collect = (globalThis as unknown as { gc: () => void }).gc;
  while (left(made).length > 0) {
    collect();
    await turns(1);
  }
  say({ left: left(made), kept: left([JSON.stringify(describe(own, { nodeOnly: true }))]).length });
} else if (ending === 'crowd') {
  for (let i = 0; i < 600; i++) {
    const held = new Lock();
    held.acquireSync();
    held.close();
  }
  const lock = new Lock();
  const holder = attach(describe(lock, { nodeOnly: true }) as SemLockDescriptor & { type: 'Lock' });
  holder.acquireSync();
  // From now on, its locks have a dead holder.
  holder.close();
  say({ acquired: await lock.acquire({ timeout: 5000 }) });
  lock.close();
} else if (ending === 'exit-listener') {
  const lock = new Lock();
  lock.acquireSync();
  process.on('exit', () => {
    lock.release();
    writeSync(1, '{"released":true}\n');
  });
} else {
  say(make().map((text) => JSON.parse(text) as unknown));
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') throw new Error('thrown on purpose');
  if (ending === 'stay') process.stdin.once('end', () => process.exit(0)).resume();
}
