// SPDX-License-Identifier: MIT
//
// Algorithms over semaphores, written once for the async and the blocking form of a method: a generator yields each wait
// and is sent back whether it succeeded.
import { millisecondsLeft } from '../core/deadline.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import type { SemaphoreHandle } from './semaphore-handle.js';

/** One wait for a semaphore. */
export interface Wait {
  readonly handle: SemaphoreHandle;
  /** As `deadlineAfter` gives it. */
  readonly deadline: number;
  /** Ends the wait with an AbortError, which the algorithm catches where it yields. */
  readonly signal?: AbortSignal | undefined;
}

export type Steps<T> = Generator<Wait, T, boolean>;

/** A wait without an end. */
export function forever(handle: SemaphoreHandle): Wait {
  return { handle, deadline: Infinity };
}

export async function runSteps<T>(steps: Steps<T>, hold: KeepAlive): Promise<T> {
  let next = steps.next();
  while (next.done !== true) {
    const { handle, deadline, signal } = next.value;
    let taken: boolean;
    try {
      taken = await handle.acquire({ timeout: millisecondsLeft(deadline), signal }, hold);
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(taken);
  }
  return next.value;
}

export function runStepsSync<T>(steps: Steps<T>, operation: string): T {
  let next = steps.next();
  while (next.done !== true) {
    const { handle, deadline } = next.value;
    let taken: boolean;
    try {
      taken = handle.acquireSync(deadline, operation);
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(taken);
  }
  return next.value;
}
