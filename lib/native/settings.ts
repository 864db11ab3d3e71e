// SPDX-License-Identifier: MIT
//
// Settings of the native layer that environment variables change. They are for tests: the default is the best that the
// system offers.

/** The I/O methods by their numbers in the native layer, the best one first. */
const IO_METHODS = ['nowait', 'reopen', 'poll'];

/** How the native layer does what the system allows in several ways. */
export interface NativeSettings {
  /** The number of the I/O method that new endpoints try first. NODE_MULTIPROCESSING_RUNG names it. */
  readonly ioMethod: number;
  /** Whether semaphores are tried in turn even where one thread can wait for many: NODE_MULTIPROCESSING_WAITER=poll. */
  readonly semaphoresInTurn: boolean;
}

/** Reads the environment variables of this process. */
export function readSettings(): NativeSettings {
  return {
    ioMethod: Math.max(0, IO_METHODS.indexOf(process.env['NODE_MULTIPROCESSING_RUNG'] ?? '')),
    semaphoresInTurn: process.env['NODE_MULTIPROCESSING_WAITER'] === 'poll',
  };
}
