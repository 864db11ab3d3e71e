// SPDX-License-Identifier: MIT
//
// Target of a child that imports nothing of the package, as far as this module is concerned: the types are erased.
import { createRequire } from 'node:module';

import type { Connection, Queue } from 'node-multiprocessing';

/** The modules that a child loads when it first meets an object of theirs. */
const LAZY = ['synchronize/reduction', 'queues/reduction', 'python/pickling', 'python/rebuild'];

function loadedParts(): string[] {
  const files = Object.keys(createRequire(import.meta.url).cache);
  return LAZY.filter((name) => files.some((file) => file.endsWith(`/dist/cjs/${name}.js`)));
}

/** Tells which parts of the package are loaded, again after each queue that it receives and has put something on. */
export async function tell(connection: Connection<string[], Queue<string> | null>): Promise<void> {
  for (;;) {
    await connection.send(loadedParts());
    const queue = await connection.recv();
    if (queue === null) return;
    await queue.put('from the child');
    queue.close();
  }
}
