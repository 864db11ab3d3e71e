// SPDX-License-Identifier: MIT
import { makeFair } from '../event-loop/fair-calls.js';
import type { Chunks } from './batches.js';
import { jobOf, type JobBase } from './options.js';
import { markAsOwn } from '../reduction/shareable.js';
import type { Task, TaskScheduler } from './task.js';

/** A chunk that was begun, and how it has ended if it has. */
interface Slot {
  task: Task | undefined;
  outcome: { readonly results: unknown[] } | { readonly error: unknown } | undefined;
}

/**
 * Results of items that are taken from the input as results are taken from here. The first error ends the iteration. Leaving the
 * loop, or an error, ends all that was begun.
 */
export class ResultIterator<R> implements AsyncGenerator<R, void, undefined> {
  readonly #scheduler: TaskScheduler;
  readonly #base: JobBase;
  readonly #chunks: Chunks<unknown>;
  readonly #buffersize: number;
  readonly #ordered: boolean;
  /** What was begun and not yet taken, in the order of the input. */
  readonly #slots: Slot[] = [];
  #inputEnded = false;
  #filling = false;
  #inputError: { readonly error: unknown } | undefined;
  #closed = false;
  #wake: (() => void) | undefined;
  /** Calls of `next` follow each other. */
  #last: Promise<unknown> = Promise.resolve();
  #ready: unknown[] = [];

  constructor(scheduler: TaskScheduler, base: JobBase, chunks: Chunks<unknown>, buffersize: number, ordered: boolean) {
    markAsOwn(this);
    this.#scheduler = scheduler;
    this.#base = base;
    this.#chunks = chunks;
    this.#buffersize = buffersize;
    this.#ordered = ordered;
  }

  next(): Promise<IteratorResult<R, void>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => undefined);
    return result;
  }

  async return(): Promise<IteratorResult<R, void>> {
    await this.#close();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<R, void>> {
    await this.#close();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #next(): Promise<IteratorResult<R, void>> {
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      if (this.#ready.length > 0) return { done: false, value: this.#ready.shift() as R };
      const outcome = this.#take();
      if (outcome !== undefined && 'results' in outcome) {
        this.#ready = outcome.results;
        void this.#fill();
        continue;
      }
      const failure = outcome ?? (this.#slots.length === 0 ? this.#inputError : undefined);
      if (failure !== undefined) {
        await this.#close();
        throw failure.error;
      }
      if (this.#inputEnded && this.#slots.length === 0) {
        this.#closed = true;
        continue;
      }
      void this.#fill();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The outcome that comes next, if it is there. */
  #take(): Slot['outcome'] {
    const index = this.#ordered ? 0 : this.#slots.findIndex(({ outcome }) => outcome !== undefined);
    const outcome = this.#slots[index]?.outcome;
    if (outcome !== undefined) this.#slots.splice(index, 1);
    return outcome;
  }

  /** Begins tasks as long as there is room for their results. */
  async #fill(): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    try {
      while (this.#mayBegin) {
        const args = await this.#chunks.next();
        if (args === undefined) this.#inputEnded = true;
        else if (!this.#closed) this.#begin(args);
      }
    } catch (error) {
      this.#inputError ??= { error };
      this.#inputEnded = true;
    } finally {
      this.#filling = false;
      this.#tell();
    }
  }

  get #mayBegin(): boolean {
    return !this.#closed && !this.#inputEnded && this.#slots.length < this.#buffersize;
  }

  #begin(args: unknown[]): void {
    const slot: Slot = { task: undefined, outcome: undefined };
    const rest = {
      args,
      done: (values: unknown) => {
        slot.outcome = { results: values as unknown[] };
        this.#tell();
      },
      failed: (error: unknown) => {
        slot.outcome = { error };
        this.#tell();
      },
    };
    slot.task = this.#scheduler.submit(jobOf(this.#base, rest));
    this.#slots.push(slot);
  }

  #tell(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { task } of this.#slots.splice(0)) {
      if (task?.job !== undefined) this.#scheduler.abandon(task, undefined);
    }
    this.#tell();
    await this.#chunks.close();
  }
}

makeFair(ResultIterator.prototype, 'next');
