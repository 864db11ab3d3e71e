// SPDX-License-Identifier: MIT
//
// What the children of process-parent.ts do: targets of Processes.
import type { Connection } from 'node-multiprocessing';

export { block, forever, ignoreTerm, spin, watchParent } from './process-targets.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

/** Answers once, and then ends when it is told to. */
export async function untilTwice(connection: Any): Promise<void> {
  await connection.send('running');
  await connection.recv();
  await connection.send('pong');
  await connection.recv();
}

export async function lengthOf(connection: Any, bytes: Uint8Array): Promise<void> {
  await connection.send(bytes.length);
}
