// SPDX-License-Identifier: MIT
//
// Processes of the tests. What a test leaves running is killed by the hook after it.
import { Pipe, Process, type Connection, type ProcessOptions, type Target } from 'node-multiprocessing';

import { track, type AnyConnection } from '../../helpers/channels.js';

/** The module of the targets. */
export const targetsUrl = new URL('../children/process-targets.js', import.meta.url).href;

/** A process with one of those functions, not started yet. */
export function processOf<F extends Target>(
  target: F,
  args: Readonly<Parameters<F>>,
  options: Partial<Omit<ProcessOptions<Target>, 'target' | 'args'>> = {},
): Process {
  return new Process({ module: targetsUrl, ...options, target: target as Target, args });
}

/** Starts a process whose function gets one end of a duplex connection first; the other end is returned. */
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
