// SPDX-License-Identifier: MIT
import { millisecondsLeft } from '../core/deadline.js';
import type { Wait, Waits } from '../event-loop/driver.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import type { SemaphoreHandle } from './semaphore-handle.js';

/** An algorithm whose waits are for semaphores. */
export type SemaphoreWaits<T> = Waits<T, boolean>;

/** One wait for a value of a semaphore, which results in whether it was taken; false means that the time is up. */
export class SemaphoreWait implements Wait<boolean> {
  readonly #handle: SemaphoreHandle;
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;

  /**
   * @param deadline As `deadlineAfter` gives it. Default: the wait has no end.
   * @param signal Ends the wait with an AbortError, which the algorithm catches where it yields. A blocking wait has none.
   */
  constructor(handle: SemaphoreHandle, deadline = Infinity, signal?: AbortSignal) {
    this.#handle = handle;
    this.#deadline = deadline;
    this.#signal = signal;
  }

  start(keepAlive: KeepAlive): Promise<boolean> {
    return this.#handle.acquire({ timeout: millisecondsLeft(this.#deadline), signal: this.#signal }, keepAlive);
  }

  block(operation: string): boolean {
    return this.#handle.acquireSync(this.#deadline, operation);
  }
}
