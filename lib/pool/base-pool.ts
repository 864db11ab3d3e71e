// SPDX-License-Identifier: MIT
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';

import { startLimits } from '../core/deadline.js';
import { argumentError, NotClosed } from '../core/errors.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { rejectAtAwait } from '../core/user-stack.js';
import { checkInteger, checkOptionNames, checkTimeout, optionNames, type OptionNames } from '../core/validate.js';
import type { Target } from '../process/process.js';
import { Chunks, listOf, mapItems, type Items } from './batches.js';
import { Listeners, type PoolEvents, type PoolStats } from './events.js';
import {
  checkProgress,
  jobBase,
  jobOf,
  TASK_OPTIONS,
  type ApplyOptions,
  type CheckedOptions,
  type IteratorOptions,
  type MapOptions,
  type StreamOptions,
  type TaskOptions,
} from './options.js';
import type { Mode } from './protocol.js';
import { ResultIterator } from './result-iterator.js';
import type { TaskScheduler } from './task.js';
import { TaskStream } from './task-stream.js';
import { markAsOwn } from '../reduction/shareable.js';

/** What a generator yields; of other functions, unknown. */
export type Yielded<R> = R extends AsyncIterable<infer T> | Iterable<infer T> ? T : unknown;

const closeNames = optionNames<{ grace?: number | null | undefined }>({ grace: true });

const DEFAULT_STREAM_BUFFER = 16;

/** How many chunks per worker `map` makes by default. CPython has the same number. */
const CHUNKS_PER_WORKER = 4;

/** The names of the options of each kind of call. */
interface CallNames {
  readonly apply: OptionNames;
  readonly map: OptionNames;
  readonly iterator: OptionNames;
  readonly stream: OptionNames;
}

function namesWith(more: Readonly<Record<string, true>>): CallNames {
  const task = { ...TASK_OPTIONS, ...more };
  return {
    apply: new Set(Object.keys({ ...task, onProgress: true })),
    map: new Set(Object.keys({ ...TASK_OPTIONS, chunksize: true })),
    iterator: new Set(Object.keys({ ...TASK_OPTIONS, chunksize: true, buffersize: true })),
    stream: new Set(Object.keys({ ...task, buffersize: true })),
  };
}

/** Ends the workers of pools that were collected while they were open. Such a pool has no tasks. */
const collected = new FinalizationRegistry<{ readonly name: string; readonly scheduler: TaskScheduler }>((pool) => {
  process.emitWarning(`${pool.name}: a pool was collected that is still open: call close() or terminate()`, {
    type: 'ResourceWarning',
  });
  pool.scheduler.close();
});

/**
 * A number of worker processes that run a function. CPython: `multiprocessing.Pool`.
 *
 * Each worker has connections of its own and no lock, so the end of one worker, however it ends, concerns its own task only. No
 * promise of a pool stays open: a task ends with its result, with the error of its function (`RemoteError`), or with an error that
 * says what has happened to it (`WorkerDied`, `TaskTimeout`, `PoolSaturated`, `PoolClosed`, an AbortError). A pool without tasks
 * does not keep the process alive. If it is garbage collected while it is open, its workers end, with a ResourceWarning.
 */
export abstract class BasePool<F extends Target> extends EventEmitter<PoolEvents> {
  readonly #scheduler: TaskScheduler;
  readonly #options: CheckedOptions;
  readonly #names: CallNames;

  /** @internal */
  protected constructor(
    options: CheckedOptions,
    makeScheduler: (listeners: Listeners) => TaskScheduler,
    more: Readonly<Record<string, true>>,
  ) {
    super();
    markAsOwn(this);
    this.#options = options;
    this.#names = namesWith(more);
    this.#scheduler = makeScheduler(new Listeners(this));
    collected.register(this, { name: options.name, scheduler: this.#scheduler }, this);
  }

  /** @internal Checks the option `target` of a task. */
  protected abstract checkTarget(target: unknown): void;

  /**
   * Runs the function with these arguments in a worker. CPython: `apply_async(func, args).get()`.
   *
   * The arguments are serialised when a worker takes the task, so they must not change before. Resolves to what the function
   * returns. Rejects with `RemoteError`, `WorkerDied`, `TaskTimeout`, `PoolSaturated`, `PoolClosed`, an AbortError,
   * `PicklingError` for arguments and `UnpicklingError` for results that cannot be carried, or `ChildProcessError` if the workers
   * cannot load the function.
   */
  apply(args: Readonly<Parameters<F>>, options: ApplyOptions = {}): Promise<Awaited<ReturnType<F>>> {
    return new Promise((resolve) => {
      checkArguments(args);
      checkOptionNames(options, this.#names.apply);
      const { onProgress } = options;
      checkProgress(onProgress);
      const rest = {
        args,
        done: (value: unknown) => resolve(value as Awaited<ReturnType<F>>),
        failed: (error: unknown) => resolve(rejectAtAwait(error)),
        // In the asynchronous context of this call, and not in that of the message.
        progress: onProgress && AsyncResource.bind(onProgress),
      };
      this.#scheduler.submit(jobOf(this.#base('call', options), rest));
    });
  }

  /**
   * Runs the function for each item, and resolves to the results in the order of the items. CPython: `map`.
   *
   * The items are collected first, and several make a task. Rejects as `apply` does, with the first error; tasks that still wait
   * are dropped then.
   */
  async map(items: Items<Parameters<F>[0]>, options: MapOptions = {}): Promise<Awaited<ReturnType<F>>[]> {
    return await this.#map('map', items, options);
  }

  /** As `map`, with items that are lists of arguments. CPython: `starmap`. */
  async starmap(items: Items<Readonly<Parameters<F>>>, options: MapOptions = {}): Promise<Awaited<ReturnType<F>>[]> {
    return await this.#map('starmap', items, options);
  }

  /**
   * Runs the function for each item, and iterates over the results in the order of the items. CPython: `imap`.
   *
   * The input is taken as the results are taken, at most `buffersize` tasks ahead. Leaving the loop ends the tasks that were begun.
   * An error ends the iteration.
   */
  imap(
    items: Items<Parameters<F>[0]>,
    options: IteratorOptions = {},
  ): AsyncGenerator<Awaited<ReturnType<F>>, void, undefined> {
    return this.#iterate(items, options, true);
  }

  /** As `imap`, with the results in the order in which they come. CPython: `imap_unordered`. */
  imapUnordered(
    items: Items<Parameters<F>[0]>,
    options: IteratorOptions = {},
  ): AsyncGenerator<Awaited<ReturnType<F>>, void, undefined> {
    return this.#iterate(items, options, false);
  }

  /**
   * Iterates over what a generator yields in a worker. No CPython counterpart.
   *
   * The function is a generator or an async generator. It begins with the first call of `next`, and is at most `buffersize` items
   * ahead of the consumer. Leaving the loop closes the generator over there (its `finally` runs; GeneratorExit in Python), and
   * frees the worker. Calls of `next` reject as `apply` does.
   */
  stream(
    args: Readonly<Parameters<F>>,
    options: StreamOptions = {},
  ): AsyncGenerator<Yielded<Awaited<ReturnType<F>>>, void, undefined> {
    checkOptionNames(options, this.#names.stream);
    const { buffersize = DEFAULT_STREAM_BUFFER } = options;
    checkInteger(buffersize, 'buffersize', 1, 1e6);
    return new TaskStream(this.#scheduler, this.#base('stream', options, buffersize), checkArguments(args));
  }

  /**
   * Resolves when the workers that are started at first can take tasks: they have loaded the function, and the initializer has
   * returned. Rejects with `ChildProcessError` if that fails, which then is also the error of every task.
   */
  async ready(): Promise<void> {
    await this.#scheduler.ready();
  }

  /** The workers, how many tasks wait, run and have ended, and how long that took. */
  stats(): PoolStats {
    return this.#scheduler.stats();
  }

  /**
   * Takes no more tasks, and resolves when those that were taken are done and all workers have ended. CPython: `close()` and
   * `join()`.
   *
   * @param options.grace After so many milliseconds the pool is terminated. Default: no limit.
   */
  async close(options: { grace?: number | null | undefined } = {}): Promise<void> {
    checkOptionNames(options, closeNames);
    const grace = checkTimeout(options.grace, 'grace');
    collected.unregister(this);
    this.#scheduler.close();
    this.#scheduler.holdUntilEnded();
    const over = (): Error => new NotClosed('grace is over');
    const stop =
      grace === Infinity
        ? undefined
        : startLimits({ timeout: grace, signal: undefined }, true, over, () => this.#scheduler.terminate());
    await this.#scheduler.whenEnded();
    stop?.();
  }

  /**
   * Ends the workers at once, with SIGKILL, and resolves when they have ended. All tasks that are not done reject with
   * `PoolClosed`. CPython: `terminate()` and `join()`.
   */
  async terminate(): Promise<void> {
    collected.unregister(this);
    this.#scheduler.terminate();
    this.#scheduler.holdUntilEnded();
    await this.#scheduler.whenEnded();
  }

  /** Resolves when the workers of a pool that was closed or terminated have ended; else rejects with `NotClosed`. CPython: `join()`. */
  async join(): Promise<void> {
    if (this.#scheduler.isOpen)
      throw new NotClosed('The pool is still open: call close() or terminate() before join()');
    this.#scheduler.holdUntilEnded();
    await this.#scheduler.whenEnded();
  }

  /** `close()`, for `await using`. CPython: `with`, which calls `terminate()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #base(mode: Mode, options: TaskOptions, credits = 0): ReturnType<typeof jobBase> {
    if (options.target !== undefined) this.checkTarget(options.target);
    return jobBase(mode, options, this.#options, this, credits);
  }

  async #map(mode: 'map' | 'starmap', items: Items<unknown>, options: MapOptions): Promise<Awaited<ReturnType<F>>[]> {
    checkItems(items);
    checkOptionNames(options, this.#names.map);
    const base = this.#base(mode, options);
    if (options.chunksize !== undefined) checkInteger(options.chunksize, 'chunksize', 1);
    const list = await listOf(items, base.limits.signal);
    if (mode === 'starmap') for (const item of list) checkArguments(item, 'starmap([[1, 2]])');
    const chunksize = options.chunksize ?? Math.ceil(list.length / (this.#options.processes * CHUNKS_PER_WORKER));
    return (await mapItems(this.#scheduler, base, list, Math.max(1, chunksize))) as Awaited<ReturnType<F>>[];
  }

  #iterate(
    items: Items<unknown>,
    options: IteratorOptions,
    ordered: boolean,
  ): AsyncGenerator<Awaited<ReturnType<F>>, void, undefined> {
    checkItems(items);
    checkOptionNames(options, this.#names.iterator);
    const { chunksize = 1, buffersize = 2 * this.#options.processes } = options;
    checkInteger(chunksize, 'chunksize', 1);
    checkInteger(buffersize, 'buffersize', 1);
    const base = this.#base('map', options);
    const chunks = new Chunks(items, chunksize, base.limits.signal);
    return new ResultIterator(this.#scheduler, base, chunks, buffersize, ordered);
  }
}

makeFair(BasePool.prototype, 'apply', 'map', 'starmap', 'ready', 'close', 'terminate', 'join', Symbol.asyncDispose);

/** What to say of a function in the first place, where the pools of Python have it. */
function adviceFor(value: unknown): string {
  return typeof value === 'function' ? '. The function is that of the pool, or the option target' : '';
}

function checkArguments(args: unknown, call = 'apply([1, 2])'): readonly unknown[] {
  if (Array.isArray(args)) return args;
  throw argumentError('type', `args must be an array of arguments: ${call} calls f(1, 2)${adviceFor(args)}`);
}

function checkItems(items: unknown): void {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(items) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  if (typeof sync !== 'function' && typeof async !== 'function') {
    throw argumentError('type', `items must be iterable: an array, a generator or a stream${adviceFor(items)}`);
  }
}
