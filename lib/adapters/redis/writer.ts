// SPDX-License-Identifier: MIT
//
// The putting half of a queue: items in their order, many with one command.
import { isLimited, startLimits, type Limits } from '../../core/deadline.js';
import { ClosedError, Full } from '../../core/errors.js';
import { Fifo } from '../../core/fifo.js';
import type { Part } from './client.js';
import type { RedisEngine } from './engine.js';
import { RedisWaker } from './waker.js';

/** How much one command puts, unless one item alone is longer. */
const MOST_ITEMS = 500;
const MOST_BYTES = 1024 * 1024;

/** Longer items are kept apart, so that Redis need not go through them when it hands out others. */
const APART_BYTES = 64 * 1024;

interface PutCall {
  readonly bytes: Buffer;
  /** Whether it fails when there is no room at once. */
  readonly once: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  stopLimits?: () => void;
  /** Why it is to fail if there is no room. */
  expired?: Error;
}

export class RedisWriter {
  readonly #engine: RedisEngine;
  readonly #waiting = new Fifo<PutCall>();
  readonly #waker: RedisWaker;
  /** The items that are on their way. */
  #sent: readonly PutCall[] = [];
  #putting: Promise<void> | undefined;
  /** Whether there was no room at the last look, and no reason for another one has come. */
  #full = false;
  #closed = false;

  constructor(engine: RedisEngine) {
    this.#engine = engine;
    this.#waker = new RedisWaker(engine, 'room', () => {
      this.#full = false;
      this.#putSoon();
    });
  }

  /**
   * Puts an item, after those that were put earlier. When the time is up or the signal aborts, an item on its way may have
   * been put: then the answer decides.
   */
  put(bytes: Buffer, limits: Limits): Promise<void> {
    return new Promise((resolve, reject) => {
      const once = limits.timeout <= 0;
      const call: PutCall = { bytes, once, resolve, reject };
      const rest: Limits = once ? { timeout: Infinity, signal: limits.signal } : limits;
      if (isLimited(rest)) {
        const expire = (error: Error): void => {
          call.expired = error;
          if (this.#sent.includes(call)) return;
          this.#waiting.remove(call);
          reject(error);
        };
        call.stopLimits = startLimits(rest, true, () => new Full(), expire);
      }
      this.#waiting.push(call);
      // A call that does not wait looks for itself, unless earlier ones wait.
      if (this.#full && once) this.#fail(call, new Full());
      else this.#putSoon();
    });
  }

  /** Ends putting. What was put is still written if there is room. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waker.close();
    await this.#putting;
    this.#refuseAll();
  }

  #refuseAll(): void {
    for (const call of this.#waiting.removeAll()) this.#fail(call, new ClosedError('Queue'));
  }

  #putSoon(): void {
    this.#putting ??= this.#putAll().finally(() => {
      this.#putting = undefined;
      if (this.#closed) this.#refuseAll();
      else if (this.#waiting.length > 0 && !this.#full) this.#putSoon();
      else this.#waker.needed = this.#waiting.length > 0;
    });
  }

  async #putAll(): Promise<void> {
    // Items of the same tick are put together.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !this.#full) {
      const calls = (this.#sent = this.#take());
      try {
        const args = calls.flatMap(({ bytes }): Part[] => [bytes.length > APART_BYTES ? 'l' : 'd', bytes]);
        const [, count] = (await this.#engine.run('put', args)) as [unknown, number | bigint];
        this.#sent = [];
        this.#settle(calls, Number(count));
      } catch (error) {
        this.#sent = [];
        for (const call of calls) this.#fail(call, error);
      }
    }
  }

  #take(): PutCall[] {
    const calls: PutCall[] = [];
    for (let bytes = 0; calls.length < MOST_ITEMS;) {
      const { first } = this.#waiting;
      if (first === undefined || (calls.length > 0 && bytes + first.bytes.length > MOST_BYTES)) break;
      bytes += first.bytes.length;
      calls.push(first);
      this.#waiting.shift();
    }
    return calls;
  }

  #settle(calls: readonly PutCall[], count: number): void {
    for (const call of calls.slice(0, count)) {
      call.stopLimits?.();
      call.resolve();
    }
    const others = calls.slice(count);
    this.#full = others.length > 0;
    if (!this.#full) return;
    // In front of those that were put meanwhile.
    const later = this.#waiting.removeAll();
    for (const call of [...others, ...later]) {
      if (call.expired !== undefined || call.once) this.#fail(call, call.expired ?? new Full());
      else this.#waiting.push(call);
    }
  }

  #fail(call: PutCall, error: unknown): void {
    this.#waiting.remove(call);
    call.stopLimits?.();
    call.reject(error);
  }
}
