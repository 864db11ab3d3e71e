// SPDX-License-Identifier: MIT
//
// Algorithms that wait, written once for the async and the blocking form of a method: a generator yields each wait and is
// sent back what came of it.
import type { KeepAlive } from './keep-alive.js';

/** One wait, which knows its own limits. Its failure is thrown into the generator where it yields the wait. */
export interface Wait<R> {
  start(keepAlive: KeepAlive): Promise<R>;
  /** @param operation The method that blocks, for its errors. */
  block(operation: string): R;
}

/** An algorithm that results in a `T` and whose waits result in `R`s. */
export type Waits<T, R> = Generator<Wait<R>, T, R>;

export async function run<T, R>(waits: Waits<T, R>, keepAlive: KeepAlive): Promise<T> {
  let next = waits.next();
  while (next.done !== true) {
    let result: R;
    try {
      result = await next.value.start(keepAlive);
    } catch (error) {
      next = waits.throw(error);
      continue;
    }
    next = waits.next(result);
  }
  return next.value;
}

export function runSync<T, R>(waits: Waits<T, R>, operation: string): T {
  let next = waits.next();
  while (next.done !== true) {
    let result: R;
    try {
      result = next.value.block(operation);
    } catch (error) {
      next = waits.throw(error);
      continue;
    }
    next = waits.next(result);
  }
  return next.value;
}
