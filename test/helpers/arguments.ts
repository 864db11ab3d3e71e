// SPDX-License-Identifier: MIT
//
// What tests of arguments have in common: wrong options, the codes of argument errors, and objects that are closed after
// each test.
import * as mp from 'node-multiprocessing';

export const TYPE = 'ERR_INVALID_ARG_TYPE';
export const RANGE = 'ERR_OUT_OF_RANGE';

/** Options of everything that waits, with the name that the error must hold and its code. */
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
/** An asynchronous method rejects: what it throws instead is made a failure of another kind. */
export function neverThrowing(call: () => unknown): () => unknown {
  return () => {
    try {
      return call();
    } catch (error) {
      throw new Error('An asynchronous method has thrown', { cause: error });
    }
  };
}

export type AnyClass = new (...args: never[]) => { close(): void };

export const locks: Record<string, AnyClass> = { Lock: mp.Lock, RLock: mp.RLock };
export const semaphores: Record<string, AnyClass> = { Semaphore: mp.Semaphore, BoundedSemaphore: mp.BoundedSemaphore };
/** What describe() takes. */
export const shareable: Record<string, AnyClass> = {
  ...locks,
  ...semaphores,
  Condition: mp.Condition,
  Event: mp.Event,
};

/** Inside a describe: has what the returned function is given closed after each test. */
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
