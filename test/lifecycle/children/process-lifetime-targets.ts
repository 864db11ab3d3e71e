// SPDX-License-Identifier: MIT
//
// The targets of the children of process-parent.ts.
import type { Connection } from 'node-multiprocessing';

export { block, forever, ignoreTerm, spin, watchParent } from './process-targets.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

/** Answers once, and then ends at a command. */
export async function untilTwice(connection: Any): Promise<void> {
  await connection.send('running');
  await connection.recv();
  await connection.send('pong');
  await connection.recv();
}

export async function lengthOf(connection: Any, bytes: Uint8Array): Promise<void> {
  await connection.send(bytes.length);
}
