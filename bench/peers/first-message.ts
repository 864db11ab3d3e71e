// SPDX-License-Identifier: MIT
//
// A child that says one thing: to the parent that has forked it, or on a Connection that it is given.
import type { Connection } from 'node-multiprocessing';

export async function sayOn(connection: Connection<string>): Promise<void> {
  await connection.send('started');
}

/** Waits for the other end to be closed then. */
export async function sayOnAndWait(connection: Connection<string>): Promise<void> {
  await connection.send('started');
  await connection.recv().catch(() => undefined);
}

// The channel of a fork does not keep it alive as long as nobody listens.
process.on('message', () => undefined);
process.send?.('started');
