// SPDX-License-Identifier: MIT
//
// The Node side of tests of locks, with the commands of locks_peer.py. Its argument names the methods that it uses:
// async or sync.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

import type { Descriptor } from 'node-multiprocessing';

import type { Mode } from '../helpers/channels.js';
import { Workshop, type Kind } from '../interop/support/locks-commands.js';

const mode = process.argv[2] as Mode;
const workshop = new Workshop(mode);

async function perform(target: string, args: unknown[]): Promise<unknown> {
  if (target === 'make') return workshop.make(...(args as [string, Kind]));
  if (target !== 'open') return workshop.run(target, ...args);
  workshop.open(...(args as [string, Descriptor]));
  return undefined;
}

// With the async methods, commands run side by side, as the threads of locks_peer.py do.
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: target, args } = JSON.parse(line) as { id: number; do: string; args: unknown[] };
  const done = perform(target, args)
    .then(
      (result) => ({ id, result: result ?? null }),
      (error: unknown) => ({
        id,
        error: (error as { code?: string }).code ?? (error as Error).name,
        message: String(error),
      }),
    )
    // Written at once, since a blocking call may follow.
    .then((reply) => writeSync(1, `${JSON.stringify(reply)}\n`));
  if (mode === 'sync') await done;
}
workshop.close();
