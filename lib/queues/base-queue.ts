// SPDX-License-Identifier: MIT
//
// What all queues have in common: a pipe, a lock for each of its ends, and what has become of it.
import { inspect } from 'node:util';

import { checkBlockingLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { ClosedError, ShutDown } from '../core/errors.js';
import { waitForFeedersAtExit } from './exit.js';
import { QueueHandle } from './handle.js';
import type { QueueDescriptor, QueueResources } from './queue-resources.js';
import { QueueReader } from './reader.js';
import { QueueWriter } from './writer.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter } from '../reduction/transfer.js';

/** Options of `put` and `get`. */
export interface QueueWaitOptions extends WaitOptions {
  /** Whether to wait at all. Default true; with false, `timeout` has no meaning. CPython: `put(item, block)`. */
  block?: boolean | undefined;
}

/** What all queues have in common. */
export abstract class BaseQueue<T> {
  readonly #what: QueueDescriptor['type'];
  readonly #keepAlive = new KeepAlive();
  #closed = false;
  // Private fields, which no serialisation sees: the first thing that it meets must be the mark.
  readonly #resources: QueueResources;
  readonly #handle: QueueHandle;
  readonly #reader: QueueReader;
  readonly #writer: QueueWriter;

  /** @internal */
  protected constructor(what: QueueDescriptor['type'], resources: QueueResources, made: boolean) {
    this.#what = what;
    this.#resources = resources;
    try {
      this.#handle = new QueueHandle(resources, made);
    } catch (error) {
      if (made) resources.close();
      throw error;
    }
    this.#reader = new QueueReader(this.#handle, resources.format);
    this.#writer = new QueueWriter(this.#handle, resources.highWaterMark);
    waitForFeedersAtExit();
    Object.defineProperty(this, 'shareable', shareableMark(what));
  }

  /**
   * Puts an item on the queue. CPython: `put(item, block, timeout)`.
   *
   * It is serialised before this returns. The promise resolves when the item was accepted: from then on it is written
   * whatever this process' JavaScript does. Rejects with `PicklingError`, `Full` (at once or when the time is up),
   * `ClosedError`, `ShutDown`, `QueueBroken`, an AbortError, or a system error (EPIPE when nobody can get it).
   */
  put(item: T, options?: QueueWaitOptions): Promise<void> {
    try {
      this.checkOpen();
      const limits = checkBlockingLimits(options);
      return this.#writer.put(this.#resources.format.encodeBorrowed(item), limits, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`, blocking the thread. */
  putSync(item: T, options?: QueueWaitOptions): void {
    this.checkOpen();
    const deadline = deadlineAfter(checkBlockingLimits(options).timeout);
    this.#writer.putSync(this.#resources.format.encodeBorrowed(item), deadline, 'putSync');
  }

  /**
   * Takes an item off the queue. CPython: `get(block, timeout)`.
   *
   * Calls are served in the order in which they were made. An item of which a part has arrived when a call gives up goes to
   * the next one. Rejects with `Empty` (at once or when the time is up), `ClosedError`, `ShutDown`, `QueueBroken`,
   * `UnpicklingError`, or an AbortError. That others close the queue, or end, is no reason.
   */
  get(options?: QueueWaitOptions): Promise<T> {
    try {
      this.checkOpen();
      return this.#reader.get(checkBlockingLimits(options), this.#keepAlive) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `get`, blocking the thread. */
  getSync(options?: QueueWaitOptions): T {
    this.checkOpen();
    return this.#reader.getSync(deadlineAfter(checkBlockingLimits(options).timeout), 'getSync') as T;
  }

  /**
   * Whether there was nothing to get at the moment of asking. Others may have put or got something since; and an item may
   * have arrived in part. CPython: `empty()`.
   */
  empty(): boolean {
    this.checkOpen();
    return !this.#reader.holdsItem && !this.#handle.channel.readyToRead();
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Closes this object; doing so again changes nothing. CPython: `close()`.
   *
   * Nothing can be put or got here any more, and pending calls reject with `ClosedError`. What was put is still written.
   * Others do not learn of it: who waits for an item goes on waiting.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = (): Error => new ClosedError(this.#what);
    this.#reader.close(error);
    this.#writer.close(error);
    this.#handle.close();
    this.#resources.close();
  }

  /** Pending calls of this object keep the process alive, which is the default. */
  ref(): this {
    this.#keepAlive.on = true;
    return this;
  }

  /** Pending calls of this object no longer keep the process alive. */
  unref(): this {
    this.#keepAlive.on = false;
    return this;
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Items, until the queue is shut down or closed here. Leaving the loop early closes nothing and loses nothing. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof ShutDown || (this.#closed && error instanceof ClosedError)) return;
        throw error;
      }
      yield item;
    }
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `${this.#what} { ${this.#closed ? 'closed' : this.show()} }`;
  }

  /** @internal */
  [kReduce](exporter: Exporter): QueueDescriptor {
    this.checkOpen();
    return this.#resources.reduce(this.#what, exporter);
  }

  /** @internal */
  get resources(): QueueResources {
    return this.#resources;
  }

  /** @internal */
  get handle(): QueueHandle {
    return this.#handle;
  }

  /** @internal */
  protected get reader(): QueueReader {
    return this.#reader;
  }

  /** @internal */
  protected get writer(): QueueWriter {
    return this.#writer;
  }

  /** @internal */
  protected abstract show(): string;

  /** @internal */
  protected get keepAlive(): KeepAlive {
    return this.#keepAlive;
  }

  /** @internal */
  protected checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#what);
  }
}
