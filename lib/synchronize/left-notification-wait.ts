// SPDX-License-Identifier: MIT
import { setTimeout as sleep } from 'node:timers/promises';

import { millisecondsLeft } from '../core/deadline.js';
import type { Wait } from '../event-loop/driver.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { blockOn } from '../event-loop/sync-wait.js';
import type { SemaphoreHandle } from './semaphore-handle.js';

/** How often the wait looks. No system tells one waiter of a semaphore that the value was meant for another one. */
const LOOK_MS = 50;

/**
 * One wait for a notification while the semaphore still has notifications for earlier waiters, which keep no records and do not
 * wake at the moment. The wait takes none of these, only one that a notifier has left for this waiter in the table.
 *
 * It results in whether there was one. False means that the time is up, or that the semaphore has no earlier notification any more.
 */
export class LeftNotificationWait implements Wait<boolean> {
  readonly #handle: SemaphoreHandle;
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;

  constructor(handle: SemaphoreHandle, deadline: number, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.#deadline = deadline;
    this.#signal = signal;
  }

  async start(keepAlive: KeepAlive): Promise<boolean> {
    keepAlive.begin();
    try {
      for (;;) {
        const answer = this.#look();
        if (answer !== undefined) return answer;
        await sleep(this.#pause(), undefined, { ref: keepAlive.on, signal: this.#signal });
      }
    } finally {
      keepAlive.end();
    }
  }

  block(operation: string): boolean {
    for (;;) {
      const answer = this.#look();
      if (answer !== undefined) return answer;
      blockOn([], performance.now() + this.#pause(), operation);
    }
  }

  #pause(): number {
    return Math.min(LOOK_MS, millisecondsLeft(this.#deadline));
  }

  /** Undefined while the answer is open. */
  #look(): boolean | undefined {
    if (this.#handle.takeNotification()) return true;
    return this.#handle.hasValue && millisecondsLeft(this.#deadline) > 0 ? undefined : false;
  }
}
