// SPDX-License-Identifier: MIT
import type { WaitOptions } from '../core/deadline.js';
import { markAsOwn } from '../reduction/shareable.js';

/** Says that there is no item at the moment: an item itself may be undefined. */
export const NOTHING = Symbol('nothing');

const END = { done: true, value: undefined } as const;

/** The end of an iterator, as a signal for its calls. */
class Ending {
  readonly #controller = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly signal = this.#controller.signal;

  constructor() {
    // Each call that waits adds and removes a listener, which takes an EventTarget longer than the rest of a small message.
    const { signal } = this;
    signal.addEventListener = (_type: string, listener: unknown) => void this.#listeners.add(listener as () => void);
    signal.removeEventListener = (_type: string, listener: unknown) =>
      void this.#listeners.delete(listener as () => void);
  }

  abort(): void {
    this.#controller.abort();
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/**
 * Iterates over the results of a call that is made again and again. It behaves like a generator, with one difference: a
 * generator that waits cannot be ended, so its call would still take an item that no reader gets. Here `return` and `throw`
 * cancel the call.
 */
export class CallIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #call: (options: WaitOptions) => Promise<T>;
  readonly #isEnd: (error: unknown) => boolean;
  readonly #now: (() => T | typeof NOTHING) | undefined;
  readonly #ending = new Ending();
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
    markAsOwn(this);
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
