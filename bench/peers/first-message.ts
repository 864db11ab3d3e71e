// SPDX-License-Identifier: MIT
//
// A child that sends one message: to the parent that forked it, or over a Connection that it gets as its argument.
import type { Connection } from 'node-multiprocessing';

export async function sayOn(connection: Connection<string>): Promise<void> {
  await connection.send('started');
}

/** Sends the message, and waits until the other end is closed. */
export async function sayOnAndWait(connection: Connection<string>): Promise<void> {
  await connection.send('started');
  await connection.recv().catch(() => undefined);
}

// Without a listener the channel of a fork does not keep the child alive.
process.on('message', () => undefined);
process.send?.('started');
