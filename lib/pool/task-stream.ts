// SPDX-License-Identifier: MIT
import { startLimits } from '../core/deadline.js';
import { TaskTimeout } from '../core/pool-errors.js';
import { Fifo } from '../core/fifo.js';
import { rejectAtAwait } from '../core/user-stack.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { jobOf, type JobBase } from './options.js';
import { markAsOwn } from '../reduction/shareable.js';
import type { Task, TaskScheduler } from './task.js';

const END = { done: true, value: undefined } as const;

/** A call of `next` that waits. */
interface Waiting<T> {
  resolve(result: IteratorResult<T, void> | Promise<never>): void;
}

/**
 * The items that a generator in a worker yields. The task begins with the first call of `next`. The worker may be `buffersize`
 * items ahead of the consumer, and then waits. `return` closes the generator over there, and resolves when the worker has done
 * that.
 */
export class TaskStream<T> implements AsyncGenerator<T, void, undefined> {
  readonly #scheduler: TaskScheduler;
  readonly #base: JobBase;
  readonly #args: readonly unknown[];
  readonly #items = new Fifo<T>();
  readonly #waiting = new Fifo<Waiting<T>>();
  #task: Task | undefined;
  /** Items that were taken, for which the worker has no credit yet. */
  #owed = 0;
  #ended = false;
  #error: { readonly error: unknown } | undefined;
  #stopTimer: () => void = () => undefined;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(scheduler: TaskScheduler, base: JobBase, args: readonly unknown[]) {
    markAsOwn(this);
    this.#scheduler = scheduler;
    this.#base = base;
    this.#args = args;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#items.length > 0) {
      const value = this.#items.shift() as T;
      this.#taken();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const { error } = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve(END);
    return new Promise((resolve) => {
      this.#waiting.push({ resolve });
      if (this.#task === undefined) this.#begin();
      else if (this.#waiting.length === 1) this.#watch();
    });
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#close();
    return END;
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.#close();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #begin(): void {
    try {
      const rest = {
        args: this.#args,
        item: (value: unknown) => this.#item(value as T),
        done: () => this.#end(undefined),
        failed: (error: unknown) => this.#end({ error }),
      };
      this.#task = this.#scheduler.submit(jobOf(this.#base, rest));
      this.#watch();
    } catch (error) {
      this.#end({ error });
    }
  }

  #item(value: T): void {
    if (this.#onClosed !== undefined) return;
    const first = this.#waiting.shift();
    if (first === undefined) {
      this.#items.push(value);
      return;
    }
    this.#stopTimer();
    first.resolve({ done: false, value });
    this.#taken();
    if (this.#waiting.length > 0) this.#watch();
  }

  /** Grants the worker more items, half a buffer at a time. */
  #taken(): void {
    this.#owed++;
    if (this.#ended || this.#task === undefined || this.#owed * 2 < this.#base.credits) return;
    this.#scheduler.grant(this.#task, this.#owed);
    this.#owed = 0;
  }

  /** Watches the time of the item that a consumer waits for. */
  #watch(): void {
    const { timeout } = this.#base.limits;
    const task = this.#task;
    if (timeout === Infinity || task === undefined || this.#ended) return;
    const timeoutError = (): Error => new TaskTimeout(task.sentAt === 0 ? 'queued' : 'running', timeout, task.id);
    this.#stopTimer();
    this.#stopTimer = startLimits({ timeout, signal: undefined }, true, timeoutError, (error) => {
      this.#scheduler.abandon(task, error);
    });
  }

  #end(error: { readonly error: unknown } | undefined): void {
    this.#ended = true;
    this.#stopTimer();
    this.#onClosed?.();
    const waiting = this.#waiting.removeAll();
    if (error !== undefined && waiting.length > 0) waiting.shift()?.resolve(rejectAtAwait(error.error));
    else this.#error = error;
    for (const { resolve } of waiting) resolve(END);
  }

  async #close(): Promise<void> {
    this.#items.removeAll();
    this.#error = undefined;
    const task = this.#task;
    if (task === undefined) this.#ended = true;
    if (this.#ended || task === undefined) return;
    // Several calls may wait for it.
    await (this.#closing ??= new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      this.#scheduler.closeStream(task);
    }));
    this.#error = undefined;
  }
}

makeFair(TaskStream.prototype, 'next');
