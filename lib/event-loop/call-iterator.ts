// SPDX-License-Identifier: MIT
import type { WaitOptions } from '../core/deadline.js';

/** Says that there is no item at the moment: an item itself may be undefined. */
export const NOTHING = Symbol('nothing');

const END = { done: true, value: undefined } as const;

/**
 * Iterates over the results of a call that is made again and again. It behaves like a generator, with one difference: a
 * generator that waits cannot be ended, so its call would still take an item that no reader gets. Here `return` and `throw`
 * cancel the call.
 */
export class CallIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #call: (options: WaitOptions) => Promise<T>;
  readonly #isEnd: (error: unknown) => boolean;
  readonly #now: (() => T | typeof NOTHING) | undefined;
  readonly #ending = new AbortController();
  readonly #options: WaitOptions = { signal: this.#ending.signal };

  /**
   * @param call Gets the next item, and takes nothing if the signal aborts.
   * @param isEnd Whether an error of the call is the regular end.
   * @param now Takes an item that is there, which spares the call.
   */
  constructor(
    call: (options: WaitOptions) => Promise<T>,
    isEnd: (error: unknown) => boolean,
    now?: () => T | typeof NOTHING,
  ) {
    this.#call = call;
    this.#isEnd = isEnd;
    this.#now = now;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#now === undefined || this.#ending.signal.aborted) return this.#next();
    try {
      const value = this.#now();
      return value === NOTHING ? this.#next() : Promise.resolve({ done: false, value });
    } catch (error) {
      this.#ending.abort();
      return Promise.reject(error);
    }
  }

  async #next(): Promise<IteratorResult<T, void>> {
    const { signal } = this.#ending;
    if (signal.aborted) return END;
    try {
      return { done: false, value: await this.#call(this.#options) };
    } catch (error) {
      if (isAbortOf(signal, error)) return END;
      this.#ending.abort();
      if (this.#isEnd(error)) return END;
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#ending.abort();
    return await Promise.resolve(END);
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#ending.abort();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  return signal.aborted && error instanceof Error && error.cause === signal.reason;
}
