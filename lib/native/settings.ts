// SPDX-License-Identifier: MIT
//
// Settings of the native layer that environment variables change. The default is the best that the system
// offers.

/** The I/O methods by their numbers in the native layer, the best one first. */
const IO_METHODS = ['nowait', 'reopen', 'poll'];

/** How the native layer does what the system allows in several ways. */
export interface NativeSettings {
  /** The number of the I/O method that new endpoints try first. NODE_MULTIPROCESSING_RUNG names it. */
  readonly ioMethod: number;
  /** Whether semaphores are tried in turn even where one thread can wait for many: NODE_MULTIPROCESSING_WAITER=poll. */
  readonly semaphoresInTurn: boolean;
}

/** Whether the user leaves it to this package how the allocator treats freed memory. */
export function mayKeepFreedMemory(): boolean {
  const { env } = process;
  if (env['NODE_MULTIPROCESSING_KEEP_MEMORY'] === '0') return false;
  if (env['GLIBC_TUNABLES']?.includes('glibc.malloc.') === true) return false;
  return env['MALLOC_TRIM_THRESHOLD_'] === undefined && env['MALLOC_MMAP_THRESHOLD_'] === undefined;
}

/** Reads the environment variables of this process. */
export function readSettings(): NativeSettings {
  return {
    ioMethod: Math.max(0, IO_METHODS.indexOf(process.env['NODE_MULTIPROCESSING_RUNG'] ?? '')),
    semaphoresInTurn: process.env['NODE_MULTIPROCESSING_WAITER'] === 'poll',
  };
}
