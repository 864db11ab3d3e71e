// SPDX-License-Identifier: MIT
import type { WaitOptions } from '../core/deadline.js';

const END = { done: true, value: undefined } as const;

/**
 * Iterates over the results of a call that is made again and again. It behaves like a generator, with one difference: a
 * generator that waits cannot be ended, so its call would still take an item that no reader gets. Here `return` and `throw`
 * cancel the call.
 */
export class CallIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #call: (options: WaitOptions) => Promise<T>;
  readonly #isEnd: (error: unknown) => boolean;
  readonly #ending = new AbortController();
  readonly #options: WaitOptions = { signal: this.#ending.signal };

  /**
   * @param call Gets the next item, and takes nothing if the signal aborts.
   * @param isEnd Whether an error of the call is the regular end.
   */
  constructor(call: (options: WaitOptions) => Promise<T>, isEnd: (error: unknown) => boolean) {
    this.#call = call;
    this.#isEnd = isEnd;
  }

  async next(): Promise<IteratorResult<T, void>> {
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
