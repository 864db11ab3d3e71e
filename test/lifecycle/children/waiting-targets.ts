// SPDX-License-Identifier: MIT
//
// Functions that wait for events, conditions and queues, as those of test/peers/children.py.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import * as mp from 'node-multiprocessing';

type Talk = mp.Connection;

export async function waitsForEvent(conn: Talk, event: mp.Event): Promise<void> {
  await conn.send('waiting');
  await conn.send(await event.wait());
}

export function waitsForEventSync(conn: Talk, event: mp.Event): void {
  conn.sendSync('waiting');
  conn.sendSync(event.waitSync());
}

export async function waitsForCondition(conn: Talk, condition: mp.Condition): Promise<void> {
  await condition.withLock(async () => {
    await conn.send('waiting');
    await conn.send(await condition.wait());
  });
}

export function waitsForConditionSync(conn: Talk, condition: mp.Condition): void {
  condition.acquireSync();
  conn.sendSync('waiting');
  conn.sendSync(condition.waitSync());
  condition.release();
}

export async function joins(conn: Talk, queue: mp.JoinableQueue): Promise<void> {
  await conn.send('waiting');
  await queue.join();
  await conn.send(true);
}

export function joinsSync(conn: Talk, queue: mp.JoinableQueue): void {
  conn.sendSync('waiting');
  queue.joinSync();
  conn.sendSync(true);
}

/** As `waitsForEvent` and its like, in a worker thread. */
async function inWorker(conn: Talk, target: string, object: mp.Event | mp.Condition | mp.JoinableQueue): Promise<void> {
  const worker = new Worker(new URL('waiting-worker.js', import.meta.url), {
    workerData: { target, conn: mp.describe(conn), object: mp.describe(object) },
  });
  await once(worker, 'exit');
}

export function waitsForEventInWorker(conn: Talk, event: mp.Event): Promise<void> {
  return inWorker(conn, 'waitsForEvent', event);
}

export function waitsForConditionInWorker(conn: Talk, condition: mp.Condition): Promise<void> {
  return inWorker(conn, 'waitsForConditionSync', condition);
}

export function joinsInWorker(conn: Talk, queue: mp.JoinableQueue): Promise<void> {
  return inWorker(conn, 'joins', queue);
}

/** Sets and clears an event, again and again, until a message comes. */
export async function heart(conn: Talk, event: mp.Event): Promise<void> {
  while (!(await conn.poll(2))) {
    await event.set();
    await event.clear();
  }
}
