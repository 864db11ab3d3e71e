// SPDX-License-Identifier: MIT
import type { Limits } from '../../core/deadline.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { PendingCall } from '../../event-loop/pending-call.js';

/** Calls that wait in memory, served first come, first served. No thread and no descriptor waits for any of them. */
export class Waiters<T> {
  // A Set keeps the order, and the cost of leaving it does not depend on how many wait.
  readonly #calls = new Set<PendingCall<T>>();

  get length(): number {
    return this.#calls.size;
  }

  /**
   * Waits for `serve`.
   *
   * @param timedOut Settles the call when its time is up: throws the error, or returns the result.
   */
  wait(limits: Limits, keepAlive: KeepAlive, timedOut: () => T): PendingCall<T> {
    const call = new PendingCall<T>(keepAlive);
    this.#calls.add(call);
    call.onEnd = () => {
      this.#calls.delete(call);
    };
    let isLate = false;
    const late = (): Error => {
      isLate = true;
      return new Error();
    };
    call.limit(limits, late, () => {
      if (!isLate) return;
      call.attempt(() => {
        call.resolve(timedOut());
      });
    });
    return call;
  }

  /** The call that has waited for the longest time. */
  get first(): PendingCall<T> | undefined {
    return this.#calls.values().next().value;
  }

  /** Serves the first call. False if none waits. */
  serve(value: T): boolean {
    const { first } = this;
    first?.resolve(value);
    return first !== undefined;
  }

  serveAll(value: T): void {
    for (const call of this.#calls) call.resolve(value);
  }

  rejectAll(makeError: () => Error): void {
    for (const call of this.#calls) call.reject(makeError());
  }
}
