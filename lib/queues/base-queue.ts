// SPDX-License-Identifier: MIT
//
// The common part of all queues: a pipe, a lock for each of its ends, and the state of the queue.
import { inspect } from 'node:util';

import { checkBlockingLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { argumentError, ClosedError, NotSupported, PicklingError, ShutDown } from '../core/errors.js';
import { waitForFeedersAtExit } from './exit.js';
import { PipeTransport } from './pipe-transport.js';
import type { QueueDescriptor, QueueResources } from './queue-resources.js';
import { QueueReader } from './reader.js';
import { QueueWriter } from './writer.js';
import { CallIterator } from '../event-loop/call-iterator.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { LostItemsWatch, type LostItems } from './lost-items.js';
import type { Item, QueueStats } from './transport.js';
import { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import type { Exporter } from '../reduction/transfer.js';
import { checkFunction } from '../core/validate.js';

/** Options of `put` and `get`. */
export interface QueueWaitOptions extends WaitOptions {
  /** Whether to wait at all. Default true; with false, `timeout` is ignored. CPython: `put(item, block)`. */
  block?: boolean | undefined;
}

/** The common base class of all queues. */
export abstract class BaseQueue<T> {
  readonly #typeName: QueueDescriptor['type'];
  readonly #keepAlive = new KeepAlive();
  #closed = false;
  // Private fields, which no serialisation sees: the first property that a serialisation reads must be the mark.
  readonly #resources: QueueResources;
  readonly #transport: PipeTransport;
  readonly #reader: QueueReader;
  readonly #writer: QueueWriter;
  readonly #lostItems: LostItemsWatch;

  /** @internal */
  protected constructor(typeName: QueueDescriptor['type'], resources: QueueResources, made: boolean) {
    this.#typeName = typeName;
    this.#resources = resources;
    try {
      this.#transport = new PipeTransport(resources, made);
    } catch (error) {
      if (made) resources.close();
      throw error;
    }
    this.#reader = new QueueReader(this.#transport, resources.format);
    this.#writer = new QueueWriter(this.#transport, resources.highWaterMark);
    this.#lostItems = new LostItemsWatch(this.#transport, this);
    waitForFeedersAtExit();
    Object.defineProperty(this, 'shareable', shareableMark(typeName));
  }

  /**
   * Puts an item on the queue. CPython: `put(item, block, timeout)`.
   *
   * The item is serialised before this returns. The promise resolves when the item was accepted: from then on it is
   * written even while JavaScript is busy. Rejects with `PicklingError`, `Full` (at once or when the time is up),
   * `ClosedError`, `ShutDown`, `QueueBroken`, an AbortError, or a system error (EPIPE when no process can get the
   * item).
   */
  put(item: T, options?: QueueWaitOptions): Promise<void> {
    try {
      this.checkOpen();
      const limits = checkBlockingLimits(options);
      return this.#writer.put(this.encode(item), limits, this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`, blocking the thread. */
  putSync(item: T, options?: QueueWaitOptions): void {
    this.checkOpen();
    const deadline = deadlineAfter(checkBlockingLimits(options).timeout);
    this.#writer.putSync(this.encode(item), deadline, 'putSync');
  }

  /**
   * Takes an item off the queue. CPython: `get(block, timeout)`.
   *
   * Calls are served in the order in which they were made. If a call gives up when an item has arrived in part, the
   * item goes to the next call. Rejects with `Empty` (at once or when the time is up), `ClosedError`, `ShutDown`,
   * `QueueBroken`, `UnpicklingError`, or an AbortError. A `get` does not fail because other processes close the queue
   * or end.
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
   * Whether the queue was empty at the moment of the call. Other processes may have put or got items since, and an item
   * may have arrived in part. CPython: `empty()`.
   */
  empty(): boolean {
    this.checkOpen();
    return !this.#reader.holdsItem && !this.#transport.readable;
  }

  /**
   * What all members of the queue have counted together since it was made. No CPython counterpart.
   *
   * @throws `NotSupported` if a process may use the queue that does not count: one that the package did not start, or
   * one in another language.
   */
  stats(): QueueStats {
    this.checkOpen();
    const { stats } = this.#transport;
    if (stats !== undefined) return stats;
    throw new NotSupported('Not all processes that may use this queue count its items: pass it to Node processes only');
  }

  /**
   * Calls `listener` when it turns out that items were lost with a process that has died, in every process that listens.
   * The diagnostics channel `node-multiprocessing:queue.lost` tells the same of queues that are made after the
   * subscription. A listener does not keep the process alive. No CPython counterpart.
   */
  on(event: 'lost', listener: (lost: LostItems) => void): this {
    checkEvent(event, listener);
    this.checkOpen();
    this.#lostItems.add(listener);
    return this;
  }

  /** Removes a listener. */
  off(event: 'lost', listener: (lost: LostItems) => void): this {
    checkEvent(event, listener);
    this.#lostItems.remove(listener);
    return this;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Closes this object. Further calls have no effect. CPython: `close()`.
   *
   * This object can no longer put or get, and its pending calls reject with `ClosedError`. Accepted items are still
   * written. Other processes do not learn of it: their pending `get` calls go on waiting.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = (): Error => new ClosedError(this.#typeName);
    this.#reader.close(error);
    this.#writer.close(error);
    this.#lostItems.close();
    this.#transport.close();
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

  /**
   * Gets items until the queue is shut down, or closed here. Leaving the loop early does not close it, and loses no
   * item; nor does `return()` of the iterator, which also ends a `next()` that waits.
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return new CallIterator(
      (options) => this.get(options),
      (error) => error instanceof ShutDown || (this.#closed && error instanceof ClosedError),
    );
  }

  /** The text that console.log shows. */
  [inspect.custom](): string {
    return `${this.#typeName} { ${this.#closed ? 'closed' : this.show()} }`;
  }

  /** @internal */
  [kReduce](exporter: Exporter): QueueDescriptor {
    this.checkOpen();
    return this.#resources.reduce(this.#typeName, exporter);
  }

  /** @internal */
  get resources(): QueueResources {
    return this.#resources;
  }

  /** @internal */
  get transport(): PipeTransport {
    return this.#transport;
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

  /**
   * The bytes of an item. A longer one than a member can get would break the queue for all of them.
   *
   * @internal
   */
  protected encode(item: T): Item {
    const { format, pipe } = this.#resources;
    const encoded = format.encodeBorrowed(item);
    const length = encoded instanceof BorrowedBytes ? encoded.prefix.length + encoded.bytes.length : encoded.length;
    const { maxMessageBytes } = pipe.reader.options;
    if (length <= maxMessageBytes) return encoded;
    throw new PicklingError(
      `The item has ${length} bytes, more than maxMessageBytes of this queue, ${maxMessageBytes}`,
    );
  }

  /** @internal */
  protected checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#typeName);
  }
}

function checkEvent(event: unknown, listener: unknown): void {
  if (event !== 'lost') throw argumentError('type', `The only event of a queue is 'lost', not ${inspect(event)}`);
  checkFunction(listener, 'listener');
}

makeFair(BaseQueue.prototype);
