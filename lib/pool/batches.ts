// SPDX-License-Identifier: MIT
//
// Many items through a pool: map, whose input is taken at once, and the iterators, which take it as they need it.
import { isLimited, limited, throwIfAborted, type Limits } from '../core/deadline.js';
import { checkObject } from '../core/validate.js';
import { rejectAtAwait } from '../core/user-stack.js';
import type { Task, TaskScheduler } from './task.js';
import { jobOf, type JobBase } from './options.js';

/** Any input: a list, a generator, a stream. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

/** All items. */
export async function listOf(items: Items<unknown>, signal: AbortSignal | undefined): Promise<unknown[]> {
  if (Array.isArray(items) && !items.some(isThenable)) return [...(items as unknown[])];
  const chunks = new Chunks(items, Infinity, signal);
  try {
    return (await chunks.next()) ?? [];
  } finally {
    await chunks.close();
  }
}

function isThenable<V>(item: V | PromiseLike<V>): item is PromiseLike<V> {
  return typeof item === 'object' && item !== null && 'then' in item;
}

/** Hands out items one by one, in groups. Those that are promises are awaited, as `for await` does it. */
export class Chunks<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  readonly #size: number;
  readonly #limits: Limits;
  /** Whether the input has not answered. */
  #waits = false;
  #ended = false;

  constructor(items: Items<T>, size: number, signal: AbortSignal | undefined) {
    const { [Symbol.asyncIterator]: waits } = items as Partial<AsyncIterable<T>>;
    this.#iterator = waits?.call(items) ?? (items as Iterable<T>)[Symbol.iterator]();
    this.#size = size;
    this.#limits = { timeout: Infinity, signal };
  }

  /** The next items; undefined at the end. */
  async next(): Promise<T[] | undefined> {
    const chunk: T[] = [];
    throwIfAborted(this.#limits);
    while (!this.#ended && chunk.length < this.#size) {
      this.#waits = true;
      // Nothing else is awaited: a turn of the microtasks for each item would take longer than all the rest.
      const answer = this.#iterator.next();
      const result = isThenable(answer) ? await this.#wait(answer) : answer;
      checkObject(result, 'result of items.next()');
      if (result.done === true) this.#ended = true;
      else chunk.push(isThenable(result.value) ? await this.#wait(result.value) : result.value);
      this.#waits = false;
    }
    return chunk.length > 0 ? chunk : undefined;
  }

  /** No more items are wanted. An input that waits, and may wait for ever, is not waited for. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const returned = Promise.resolve(this.#iterator.return?.());
    if (this.#waits) returned.catch(() => undefined);
    else await returned;
  }

  #wait<V>(promise: PromiseLike<V>): PromiseLike<V> {
    return isLimited(this.#limits) ? limited(promise, this.#limits, 'map') : promise;
  }
}

/** Runs a list of items in chunks. Resolves to the results in the order of the items; rejects with the first error. */
export function mapItems(
  scheduler: TaskScheduler,
  base: JobBase,
  items: readonly unknown[],
  chunksize: number,
): Promise<unknown[]> {
  const tasks: Task[] = [];
  const { timeout, signal, key } = base.limits;
  // The time of a task, and its end by a signal, begin when its worker begins it, which only the worker would know.
  const ahead = chunksize > 1 && timeout === Infinity && signal === undefined && key === undefined;
  return new Promise((resolve) => {
    let left = Math.ceil(items.length / chunksize);
    const results = new Array<unknown>(items.length).fill(undefined);
    if (left === 0) resolve(results);
    const failed = (error: unknown): void => {
      resolve(rejectAtAwait(error));
      // The others are of no use any more. Those that run are let run: a worker is not stopped for a failure elsewhere.
      for (const task of tasks.splice(0)) if (task.sentAt === 0) task.failed(error);
    };
    try {
      for (let at = 0; at < items.length && left > 0; at += chunksize) {
        const done = (values: unknown): void => {
          const list = values as unknown[];
          for (let i = 0; i < list.length; i++) results[at + i] = list[i];
          left--;
          if (left === 0) resolve(results);
        };
        tasks.push(scheduler.submit(jobOf(base, { args: items.slice(at, at + chunksize), ahead, done, failed })));
      }
    } catch (error) {
      failed(error);
    }
  });
}
