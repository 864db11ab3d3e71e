// SPDX-License-Identifier: MIT
//
// Many items through a pool: map, whose input is taken at once, and the iterators, which take it as they need it.
import type { Task, TaskScheduler } from './task.js';
import type { JobBase } from './options.js';

/** Any input: a list, a generator, a stream. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

/** Hands out items one by one, in groups. */
export class Chunks<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  readonly #size: number;
  #ended = false;

  constructor(items: Items<T>, size: number) {
    this.#iterator =
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : (items as Iterable<T>)[Symbol.iterator]();
    this.#size = size;
  }

  /** The next items; undefined at the end. */
  async next(): Promise<T[] | undefined> {
    const chunk: T[] = [];
    while (!this.#ended && chunk.length < this.#size) {
      const result = await this.#iterator.next();
      if (result.done === true) this.#ended = true;
      else chunk.push(result.value);
    }
    return chunk.length > 0 ? chunk : undefined;
  }

  /** No more items are wanted. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }
}

/** Runs a list of items in chunks. Resolves to the results in the order of the items; rejects with the first error. */
export function mapItems(
  scheduler: TaskScheduler,
  base: JobBase,
  items: readonly unknown[],
  chunksize: number,
): Promise<unknown[]> {
  const results: unknown[] = Array.from({ length: items.length });
  const tasks: Task[] = [];
  return new Promise((resolve, reject) => {
    let left = Math.ceil(items.length / chunksize);
    if (left === 0) resolve(results);
    const failed = (error: unknown): void => {
      reject(error);
      // The others are of no use any more. Those that run are let run: a worker is not stopped for a failure elsewhere.
      for (const task of tasks.splice(0)) if (task.sentAt === 0) task.failed(error);
    };
    try {
      for (let at = 0; at < items.length && left > 0; at += chunksize) {
        const done = (values: unknown): void => {
          (values as unknown[]).forEach((value, i) => (results[at + i] = value));
          left--;
          if (left === 0) resolve(results);
        };
        tasks.push(scheduler.submit({ ...base, args: items.slice(at, at + chunksize), done, failed }));
      }
    } catch (error) {
      failed(error);
    }
  });
}
