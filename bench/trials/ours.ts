// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';

import * as mp from 'node-multiprocessing';

import { compiledModule } from '../paths.js';
import { connectionOptions, type Spin } from '../peers/ours-options.js';
import type { Kind } from './trial.js';

export interface Ends {
  readonly receive: mp.Connection;
  readonly send: mp.Connection;
}

/**
 * The parent's ends, and the child's ends as its descriptors from 3 on: one duplex end, or its reader and its writer.
 */
function makeLinks(
  kind: Exclude<Kind, 'channel'>,
  options: mp.ConnectionOptions,
): { parent: Ends; child: mp.Connection[] } {
  if (kind === 'socketpair') {
    const [parent, child] = mp.Pipe(true, options);
    return { parent: { receive: parent, send: parent }, child: [child] };
  }
  const [childReader, parentWriter] = mp.Pipe(false, options);
  const [parentReader, childWriter] = mp.Pipe(false, options);
  return { parent: { receive: parentReader, send: parentWriter }, child: [childReader, childWriter] };
}

/** Starts a Node.js child with the other ends of fresh connections, and closes this process' copies of them. */
export function connectChild(
  module: string,
  kind: Exclude<Kind, 'channel'>,
  spin: Spin,
  args: readonly string[],
  more: mp.ConnectionOptions = {},
): Ends {
  const { parent, child } = makeLinks(kind, { ...connectionOptions(spin), ...more });
  spawn(process.execPath, [compiledModule(module), kind, spin, ...args], {
    stdio: [0, 1, 2, ...child.map((connection) => connection.fileno())],
  });
  for (const connection of child) connection.close();
  return parent;
}
