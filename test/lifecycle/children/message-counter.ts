// SPDX-License-Identifier: MIT
//
// What the process without failing calls does for connection-faults.ts.
import type { Connection } from 'node-multiprocessing';

/** Receives all messages of each Connection that it gets. Prints their lengths and the error that has ended them. */
export async function countMessages(control: Connection<never, Connection>): Promise<void> {
  for await (const connection of control) {
    const lengths: number[] = [];
    try {
      for (;;) lengths.push((await connection.recvBytes()).length);
    } catch (error) {
      console.log(`${lengths.join()} ${(error as { code?: string }).code}`);
    }
    connection.close();
  }
}
