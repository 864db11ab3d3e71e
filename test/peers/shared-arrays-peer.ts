// SPDX-License-Identifier: MIT
//
// Functions that run in child processes of the tests of shared arrays.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

import { currentTask, sharedArray, type Connection, type Queue } from 'node-multiprocessing';

/** Changes an array, sends it back with one of its own, and ends when it is told to. */
export async function makeAndChange(conn: Connection, array: Float64Array): Promise<void> {
  array[0] = 5;
  await conn.send([array, sharedArray.from(Float64Array.of(6, 7))]);
  await conn.recv();
}

export function addOne(array: Float64Array): Float64Array {
  array.forEach((value, i) => (array[i] = value + 1));
  return array;
}

export function copyOf(values: readonly number[]): Float64Array {
  return sharedArray.from(Float64Array.from(values));
}

/** Has a queue until it ends. */
export async function holdQueue(conn: Connection, queue: Queue<unknown>): Promise<void> {
  await conn.send('ready');
  await conn.recv();
  queue.close();
}

const kept: unknown[] = [];

/** Ends the process, or lets it be ended, while it has arrays. */
export async function endBy(how: string, conn: Connection, queue: Queue<unknown>, array: Float64Array): Promise<void> {
  kept.push(array);
  array[0] = 2;
  const made = sharedArray.from(Float64Array.of(3));
  kept.push(made);
  await conn.send(made);
  for (let count = 0; ; count++) {
    const got = await conn.recv();
    if (got === 'now') break;
    kept.push(got);
    if (how === 'mapping') await conn.send(count);
  }
  if (how === 'exit') process.exit(3);
  if (how === 'error') throw new RangeError('as asked');
  if (how === 'use') array.forEach(() => process.exit(0));
  if (how === 'queue') {
    kept.push(await queue.get());
    queue.cancelJoinThread();
  }
  if (how === 'message') {
    await conn.send([array, made]);
    await new Promise((resolve) => setTimeout(resolve, 1e6));
  }
  if (how === 'thread') {
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { sharedArray } = require(workerData);
       globalThis.kept = [sharedArray(Uint8Array, 1000), sharedArray(Float64Array, 3)];
       parentPort.postMessage('made');
       setInterval(() => globalThis.kept[1].fill(1), 1);`,
      { eval: true, workerData: createRequire(import.meta.url).resolve('node-multiprocessing') },
    );
    await once(worker, 'message');
    await worker.terminate();
  }
}

/** Keeps an array, and does not end. */
export async function keepSlowly(array: Float64Array): Promise<void> {
  kept.push(array);
  array[0] = 2;
  currentTask()?.progress(1);
  await new Promise((resolve) => setTimeout(resolve, 1e6));
}

/** Has an array in memory that the other side takes away. */
export async function suffer(conn: Connection): Promise<void> {
  const array = sharedArray.from(Float64Array.of(1, 2));
  await conn.send(array);
  while ((await conn.recv()) === 'look') await conn.send([...array]);
  array[0] = 1;
  sharedArray.release(array);
  sharedArray(Float64Array, 2)[1] = 1;
}
