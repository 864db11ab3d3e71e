// SPDX-License-Identifier: MIT
//
// Functions that run in child processes of test/unit/shared-arrays.test.ts.
import { sharedArray, type Connection, type Queue } from 'node-multiprocessing';

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
