// SPDX-License-Identifier: MIT
import {
  checkBlockingLimits,
  checkLimits,
  throwIfAborted,
  type Limits,
  type WaitOptions,
} from '../../core/deadline.js';
import { argumentError, Empty, Full, ShutDown, TaskDoneError, TimeoutError } from '../../core/errors.js';
import { Fifo } from '../../core/fifo.js';
import { checkInteger, checkOptionNames, optionNames } from '../../core/validate.js';
import { CallIterator } from '../../event-loop/call-iterator.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { KeepAlive } from '../../event-loop/keep-alive.js';
import type { QueueWaitOptions } from '../../queues/base-queue.js';
import { forNode, keep } from './values.js';
import { Waiters } from './waiters.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** Options of a ManagedQueue. */
export interface ManagedQueueOptions {
  /** The largest number of items on the queue. 0 or less, the default: no limit. */
  maxsize?: number | undefined;
  /**
   * What becomes of an item when the connection of the client that has got it ends. `'call'`, the default: it is handed
   * out again, unless the client has called something else since, or has given up its proxy as every program of Python
   * does at a normal end. `'taskDone'`: it is handed out again, unless the client has called `task_done()` for it.
   * `'none'`: it is lost, as with CPython's own server.
   */
  lease?: 'call' | 'taskDone' | 'none' | undefined;
}

const names = optionNames<ManagedQueueOptions>({ maxsize: true, lease: true });
const immediateNames = optionNames<{ immediate?: boolean | undefined }>({ immediate: true });

function empty(): never {
  throw new Empty();
}

/**
 * A queue in the memory of this process, for the clients of a `ManagerServer` and for the process itself. The methods for
 * Node are those of a Queue and of a JoinableQueue. CPython: the `queue.Queue` of a manager.
 */
export class ManagedQueue<T = unknown> {
  readonly #maxsize: number;
  /** @internal */
  readonly lease: 'call' | 'taskDone' | 'none';
  readonly #keepAlive = new KeepAlive();
  /** Items that came back from clients that are gone. They go first, and take no place. */
  readonly #returned = new Fifo<unknown>();
  readonly #items = new Fifo<unknown>();
  readonly #getters = new Waiters<unknown>();
  readonly #putters = new Waiters<void>();
  readonly #joiners = new Waiters<void>();
  /** Places that were given to puts which have not run on yet. */
  #promised = 0;
  #unfinished = 0;
  #isShutDown = false;
  #dropsReturned = false;

  /** @param options The largest number of items on the queue, or options. */
  constructor(options: number | ManagedQueueOptions = {}) {
    markAsOwn(this);
    const given = typeof options === 'number' ? { maxsize: options } : options;
    checkOptionNames(given, names);
    const { maxsize = 0, lease = 'call' } = given;
    checkInteger(maxsize, 'maxsize', Number.MIN_SAFE_INTEGER);
    if (!['call', 'taskDone', 'none'].includes(lease)) {
      throw argumentError('range', "lease must be 'call', 'taskDone' or 'none'");
    }
    this.#maxsize = maxsize > 0 ? maxsize : Infinity;
    this.lease = lease;
  }

  /**
   * Puts a copy of an item on the queue. CPython: `put(item, block, timeout)`. Rejects with `PicklingError` if Python
   * could not get it, `Full`, `ShutDown`, or an AbortError.
   */
  async put(item: T, options?: QueueWaitOptions): Promise<void> {
    await this.place(keep(item), checkBlockingLimits(options));
  }

  /** As `put`, without waiting. */
  putNowait(item: T): void {
    if (!this.placeNow(keep(item))) throw new Full();
  }

  /** Takes an item off the queue. CPython: `get(block, timeout)`. Rejects with `Empty`, `ShutDown`, or an AbortError. */
  async get(options?: QueueWaitOptions): Promise<T> {
    return forNode(await this.take(checkBlockingLimits(options))) as T;
  }

  /** As `get`, without waiting. */
  getNowait(): T {
    const found = this.takeNow();
    return found === undefined ? empty() : (forNode(found.value) as T);
  }

  /** How many items are on the queue. CPython: `qsize()`. */
  qsize(): number {
    return this.#returned.length + this.#items.length;
  }

  /** CPython: `empty()`. */
  empty(): boolean {
    return this.qsize() === 0;
  }

  /** CPython: `full()`. */
  full(): boolean {
    return this.#items.length >= this.#maxsize;
  }

  /** Marks one item that was got as processed. CPython: `task_done()`. */
  taskDone(): void {
    if (this.#unfinished === 0) throw new TaskDoneError();
    this.#finish(1);
  }

  /**
   * Resolves when every item that was put has been processed. CPython: `join()`. Rejects with `TimeoutError` or an
   * AbortError.
   */
  async join(options?: WaitOptions): Promise<void> {
    await this.untilJoined(checkLimits(options));
  }

  /**
   * Refuses all further puts; gets fail with `ShutDown` when no item is left. CPython: `shutdown(immediate)` of 3.13.
   *
   * @param options `immediate`: the items that are left are dropped, and count as processed.
   */
  shutdown(options: { immediate?: boolean | undefined } = {}): void {
    checkOptionNames(options, immediateNames);
    this.#isShutDown = true;
    if (options.immediate === true) {
      this.#dropsReturned = true;
      this.#finish(this.#returned.removeAll().length + this.#items.removeAll().length);
    }
    if (this.empty()) this.#getters.rejectAll(() => new ShutDown());
    this.#putters.rejectAll(() => new ShutDown());
  }

  /** Gets items until the queue is shut down and empty. Leaving the loop loses no item. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return new CallIterator(
      (options) => this.get(options),
      (error) => error instanceof ShutDown,
    );
  }

  /** @internal Puts a kept value. */
  async place(value: unknown, limits: Limits): Promise<void> {
    if (this.placeNow(value)) return;
    if (limits.timeout <= 0) throw new Full();
    throwIfAborted(limits);
    await this.#putters.wait(limits, this.#keepAlive, () => {
      throw new Full();
    }).promise;
    this.#promised--;
    if (this.#isShutDown) throw new ShutDown();
    this.#add(value);
  }

  /** @internal Takes a value that is there; undefined if there is none. */
  takeNow(): { readonly value: unknown } | undefined {
    if (this.#returned.length > 0) return { value: this.#returned.shift() };
    if (this.#items.length === 0) {
      if (this.#isShutDown) throw new ShutDown();
      return undefined;
    }
    const value = this.#items.shift();
    this.#letPut();
    return { value };
  }

  /** @internal Takes a value, as it is kept. */
  take(limits: Limits): Promise<unknown> {
    const found = this.takeNow();
    if (found !== undefined) return Promise.resolve(found.value);
    if (limits.timeout <= 0) empty();
    throwIfAborted(limits);
    return this.#getters.wait(limits, this.#keepAlive, empty).promise;
  }

  /** @internal Hands a value out again that a client has not received. */
  giveBack(value: unknown): void {
    if (this.#dropsReturned) this.#finish(1);
    else if (!this.#getters.serve(value)) this.#returned.push(value);
  }

  /** @internal */
  async untilJoined(limits: Limits): Promise<void> {
    if (this.#unfinished === 0) return;
    throwIfAborted(limits);
    await this.#joiners.wait(limits, this.#keepAlive, () => {
      throw new TimeoutError('join');
    }).promise;
  }

  /** @internal Puts a kept value. False if there is no room, or if puts wait already. */
  placeNow(value: unknown): boolean {
    if (this.#isShutDown) throw new ShutDown();
    if (this.#putters.length > 0 || this.#items.length + this.#promised >= this.#maxsize) return false;
    this.#add(value);
    return true;
  }

  #add(value: unknown): void {
    this.#unfinished++;
    if (this.#getters.serve(value)) this.#letPut();
    else this.#items.push(value);
  }

  /** Lets puts go on that wait for room. */
  #letPut(): void {
    while (this.#items.length + this.#promised < this.#maxsize && this.#putters.serve()) this.#promised++;
  }

  #finish(count: number): void {
    this.#unfinished = Math.max(0, this.#unfinished - count);
    if (this.#unfinished === 0) this.#joiners.serveAll();
  }
}

makeFair(ManagedQueue.prototype, 'put', 'get', 'join');
