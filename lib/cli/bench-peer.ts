// SPDX-License-Identifier: MIT
//
// The other side of `bench`: as the function of a Process, as a forked process, and as a worker.
import { parentPort } from 'node:worker_threads';

import type { Connection } from '../connection/connection.js';

/** Sends back what it receives. */
export async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message);
}

process.on('message', (message) => process.send?.(message));
parentPort?.on('message', (message) => parentPort?.postMessage(message));
