// SPDX-License-Identifier: MIT
//
// What a child's module does while it is imported, and what it goes on with afterwards: an async function that it calls and
// does not await runs on when the import is done. Where the main program is not told from the child, such a function would
// start the next child, and so on without end.
import { AsyncLocalStorage } from 'node:async_hooks';

import { NotSupported } from './errors.js';
import { setImmediate } from './own-turns.js';

/** One for all copies of the package in a program: only one of them imports the module. */
const KEY = Symbol.for('node-multiprocessing/import-context');

const shared = globalThis as { [KEY]?: AsyncLocalStorage<true> };

/** Calls `load`, and remembers what it has begun. */
export async function importing<T>(load: () => Promise<T>): Promise<T> {
  const context = new AsyncLocalStorage<true>();
  Object.defineProperty(shared, KEY, { value: context, configurable: true, enumerable: false });
  const before = process.getActiveResourcesInfo().length;
  const loaded = await context.run(true, load);
  // Afterwards only what waits for the system can still go on. Without that, the context need not be followed further, which
  // costs time at each promise of Node 20 and 22.
  await new Promise(setImmediate);
  if (process.getActiveResourcesInfo().length <= before) context.disable();
  return loaded;
}

/** The error of what a child must not do while it imports the module of its function. */
export function importError(action: string, consequence: string): NotSupported {
  return new NotSupported(
    `A child process cannot ${action} while it imports the module of its function, nor in what that import has begun: ` +
      `${consequence}. Put the code that is for the main program only behind "if (isMainProcess)"`,
  );
}

/** Whether the caller is code that an import has begun. */
export function isBegunByImport(): boolean {
  return shared[KEY]?.getStore() === true;
}
