// SPDX-License-Identifier: MIT
import type { KeepAlive } from '../event-loop/keep-alive.js';

/** One receive that waits. */
export interface Waiting {
  readonly owner: object;
  /** Makes progress with it; true once it is settled. */
  attempt(): boolean;
  fail(error: Error): void;
}

/** A receive for which there was nothing at first. */
export class Request<T> implements Waiting {
  readonly owner: object;
  readonly #attempt: (mayWait: boolean) => { value: T } | undefined;
  readonly #hold: KeepAlive;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: Error) => void;
  #settled = false;
  /** Ends its time limits. */
  cancel: (() => void) | undefined;

  constructor(
    attempt: (mayWait: boolean) => { value: T } | undefined,
    owner: object,
    hold: KeepAlive,
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

  /** A decoder of the user may have closed the Connection, which ends its requests, the one being decoded too. */
  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.cancel?.();
    this.#hold.end();
  }
}
