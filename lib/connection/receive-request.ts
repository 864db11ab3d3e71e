// SPDX-License-Identifier: MIT
import type { Hold } from '../event-loop/reactor.js';

/** A receive that waits. */
export interface PendingReceive {
  /** The Connection that it belongs to. */
  readonly owner: object;
  /** Makes progress with it; true once it is settled. */
  attempt(): boolean;
  fail(error: Error): void;
}

/** A receive that found nothing when it was called. */
export class ReceiveRequest<T> implements PendingReceive {
  readonly owner: object;
  readonly #attempt: (mayWait: boolean) => { value: T } | undefined;
  readonly #hold: Hold;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: Error) => void;
  #settled = false;
  /** Ends its time limits. */
  cancel: (() => void) | undefined;

  constructor(
    attempt: (mayWait: boolean) => { value: T } | undefined,
    owner: object,
    hold: Hold,
    resolve: (value: T) => void,
    reject: (error: Error) => void,
  ) {
    this.#attempt = attempt;
    this.owner = owner;
    this.#hold = hold;
    this.#resolve = resolve;
    this.#reject = reject;
    hold.begin();
  }

  attempt(): boolean {
    try {
      const done = this.#attempt(false);
      if (done === undefined) return this.#settled;
      this.#settle();
      this.#resolve(done.value);
    } catch (error) {
      this.fail(error as Error);
    }
    return true;
  }

  fail(error: Error): void {
    this.#settle();
    this.#reject(error);
  }

  /**
   * May be called twice: a user's decoder may close the Connection, which ends the request that is being decoded too.
   */
  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.cancel?.();
    this.#hold.end();
  }
}
