// SPDX-License-Identifier: MIT
import { limitsFrom, throwIfAborted, type Limits, type WaitOptions } from '../../core/deadline.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { KeepAlive } from '../../event-loop/keep-alive.js';
import { Waiters } from './waiters.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** An event in the memory of this process, for the clients of a `ManagerServer` and for the process itself. CPython: `Event`. */
export class ManagedEvent {
  readonly #keepAlive = new KeepAlive();
  readonly #waiters = new Waiters<boolean>();
  #isSet = false;

  constructor() {
    markAsOwn(this);
  }

  /** CPython: `is_set()`. */
  isSet(): boolean {
    return this.#isSet;
  }

  /** Sets the event, and wakes all that wait for it. CPython: `set()`. */
  set(): void {
    this.#isSet = true;
    this.#waiters.serveAll(true);
  }

  /** CPython: `clear()`. */
  clear(): void {
    this.#isSet = false;
  }

  /** Waits until the event is set. Resolves to false when the time is up. CPython: `wait(timeout)`. */
  async wait(timeout?: number | null | WaitOptions): Promise<boolean> {
    return await this.untilSet(limitsFrom(timeout));
  }

  /** @internal */
  async untilSet(limits: Limits): Promise<boolean> {
    if (this.#isSet || limits.timeout <= 0) return this.#isSet;
    throwIfAborted(limits);
    return await this.#waiters.wait(limits, this.#keepAlive, () => false).promise;
  }
}

makeFair(ManagedEvent.prototype, 'wait');
