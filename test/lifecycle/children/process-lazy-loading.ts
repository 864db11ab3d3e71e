// SPDX-License-Identifier: MIT
//
// The target of a child. This module imports nothing of the package: the types are erased.
import { createRequire } from 'node:module';

import type { Connection, Queue } from 'node-multiprocessing';

/** The modules that a child loads when it first meets an object of theirs. */
const LAZY = ['synchronize/rebuild', 'queues/rebuild', 'python/pickling', 'python/rebuild'];

function loadedParts(): string[] {
  const files = Object.keys(createRequire(import.meta.url).cache);
  return LAZY.filter((name) => files.some((file) => file.endsWith(`/dist/cjs/${name}.js`)));
}

/** Reports which modules are loaded, at first and after each queue that it receives and puts an item on. */
export async function tell(connection: Connection<string[], Queue<string> | null>): Promise<void> {
  for (;;) {
    await connection.send(loadedParts());
    const queue = await connection.recv();
    if (queue === null) return;
    await queue.put('from the child');
    queue.close();
  }
}
