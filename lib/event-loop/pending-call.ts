// SPDX-License-Identifier: MIT
import { startLimits, type Limits } from '../core/deadline.js';
import { rejectAtAwait } from '../core/user-stack.js';
import { KeepAlive } from './keep-alive.js';
import { countWait } from './reactor.js';

/** What keeps the event loop alive while a call is pending: a `KeepAlive`, or the handle of what the call waits for. */
export interface CallKeeper {
  /** Whether it does so at the moment. */
  readonly on: boolean;
  begin(): void;
  end(): void;
}

/**
 * A call that waits: its promise, what keeps the event loop alive meanwhile, its time limit and signal, and what is undone
 * when it ends. It ends once; whatever comes later has no effect.
 */
export class PendingCall<T> {
  readonly promise: Promise<T>;
  readonly #keeper: CallKeeper;
  #resolve!: (value: T | PromiseLike<T>) => void;
  #cancelLimits: (() => void) | undefined;
  #ended = false;
  /** Undoes what the call has begun. Called once, however the call ends, and before its promise is settled. */
  onEnd: (() => void) | undefined;

  constructor(keeper: CallKeeper) {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#keeper = keeper;
    countWait();
    keeper.begin();
  }

  /**
   * Ends the call early when its time is up or its signal aborts. Where calls are frequent, ask `isLimited` first, which
   * spares the functions.
   *
   * @param timeoutError Made only if the time is up.
   * @param onEarlyEnd May settle the call in another way. If it does not, the call rejects with the error.
   */
  limit(limits: Limits, timeoutError: () => Error, onEarlyEnd?: (error: Error) => void): void {
    if (this.#ended) return;
    const keeper = this.#keeper;
    // A KeepAlive keeps the event loop alive for as long as it is on, and a timer could not be told when it is not.
    const needsTimer = keeper.on && !(keeper instanceof KeepAlive);
    this.#cancelLimits = startLimits(limits, needsTimer, timeoutError, (error) => {
      // The limits have ended themselves.
      this.#cancelLimits = undefined;
      onEarlyEnd?.(error);
      this.reject(error);
    });
  }

  /** Whether the call has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  resolve(value: T | PromiseLike<T>): void {
    if (this.#end()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#end()) this.#resolve(rejectAtAwait(error));
  }

  /** Runs a step of the call, which rejects with what the step throws. */
  attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.reject(error);
    }
  }

  /** False if the call has ended before. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#cancelLimits?.();
    this.onEnd?.();
    this.#keeper.end();
    return true;
  }
}
