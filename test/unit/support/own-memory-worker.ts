// SPDX-License-Identifier: MIT
//
// A worker that receives arrays and Buffers, gives the first one of each message to its parent, and tells what the others have.
import { parentPort, workerData } from 'node:worker_threads';

import { attach, type Connection, type Descriptor } from 'node-multiprocessing';

import { via, type Mode } from '../../helpers/channels.js';

export interface Task {
  readonly descriptor: Descriptor;
  readonly mode: Mode;
  readonly count: number;
}

export interface Arrays {
  readonly first: Uint8Array;
  readonly second: Uint8Array;
  readonly third: Float64Array;
}

/** What the worker posts after the first array. */
export interface Rest {
  /** The lengths of the memory of each of them, and of a Buffer that came alone. */
  readonly memory: readonly number[];
  readonly others: readonly [Uint8Array, Float64Array, Uint8Array];
}

const { descriptor, mode, count } = workerData as Task;
const connection = attach(descriptor) as Connection;
for (let i = 0; i < count; i++) {
  const { first, second, third } = (await via(mode, connection).recv()) as Arrays;
  const bytes = await via(mode, connection).recvBytes();
  const memory = [first, second, third, bytes].map(({ buffer }) => buffer.byteLength);
  const { length } = first;
  parentPort!.postMessage(first, [first.buffer as ArrayBuffer]);
  if (length > 0 && first.length > 0) throw new Error('The array is still here');
  // The others are copied, after the first one has gone.
  parentPort!.postMessage({ memory, others: [second, third, bytes] } satisfies Rest);
}
connection.close();
