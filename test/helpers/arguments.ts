// SPDX-License-Identifier: MIT
//
// Shared by tests of arguments: wrong options, the codes of argument errors, and objects that are closed after each
// test.
import * as mp from 'node-multiprocessing';

export const TYPE = 'ERR_INVALID_ARG_TYPE';
export const RANGE = 'ERR_OUT_OF_RANGE';

/** Wrong options for every call that waits, each with the name in the error's message and the error's code. */
export const badOptions: [unknown, string, string][] = [
  [null, 'options', TYPE],
  [5, 'options', TYPE],
  ['5', 'options', TYPE],
  [true, 'options', TYPE],
  [{ timeout: NaN }, 'timeout', RANGE],
  [{ timeout: '5' }, 'timeout', TYPE],
  [{ timeout: {} }, 'timeout', TYPE],
  [{ timeout: 5n }, 'timeout', TYPE],
  [{ signal: {} }, 'signal', TYPE],
  [{ signal: null }, 'signal', TYPE],
];
/** Makes what an asynchronous method throws, instead of rejecting, a failure of another kind. */
export function neverThrowing(call: () => unknown): () => unknown {
  return () => {
    try {
      return call();
    } catch (error) {
      throw new Error('An asynchronous method has thrown instead of rejecting', { cause: error });
    }
  };
}

export type AnyClass = new (...args: never[]) => { close(): void };

export const locks: Record<string, AnyClass> = { Lock: mp.Lock, RLock: mp.RLock };
export const semaphores: Record<string, AnyClass> = { Semaphore: mp.Semaphore, BoundedSemaphore: mp.BoundedSemaphore };
/** The classes that describe() accepts. */
export const shareable: Record<string, AnyClass> = {
  ...locks,
  ...semaphores,
  Condition: mp.Condition,
  Event: mp.Event,
};

/**
 * Called inside a describe. Returns a function that registers an object; after each test all registered objects are
 * closed.
 */
export function closingAfterEach(): <T extends { close(): void }>(object: T) => T {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const object of open.splice(0)) object.close();
  });
  return (object) => {
    open.push(object);
    return object;
  };
}
