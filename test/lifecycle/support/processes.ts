// SPDX-License-Identifier: MIT
//
// Processes of the tests. The hook after a test kills those that it leaves running.
import { Pipe, Process, type Connection, type ProcessOptions, type Target } from 'node-multiprocessing';

import { track, type AnyConnection } from '../../helpers/channels.js';

/** The module of the targets. */
export const targetsUrl = new URL('../children/process-targets.js', import.meta.url).href;

/** A Process with one of those targets, not started yet. */
export function processOf<F extends Target>(
  target: F,
  args: Readonly<Parameters<F>>,
  options: Partial<Omit<ProcessOptions<Target>, 'target' | 'args'>> = {},
): Process {
  return new Process({ module: targetsUrl, ...options, target: target as Target, args });
}

/** Starts a process whose first argument is one end of a duplex connection. Returns the other end. */
export function startWith<Rest extends readonly unknown[]>(
  target: (connection: AnyConnection, ...rest: [...Rest]) => unknown,
  rest: Rest,
  options: Partial<Omit<ProcessOptions<Target>, 'target' | 'args'>> = {},
): { child: Process; connection: AnyConnection } {
  const [ours, theirs] = Pipe() as unknown as [AnyConnection, Connection];
  const child = new Process({ module: targetsUrl, ...options, target: target as Target, args: [theirs, ...rest] });
  try {
    child.start();
  } finally {
    theirs.close();
  }
  return { child, connection: track(ours) };
}
