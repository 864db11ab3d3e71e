// SPDX-License-Identifier: MIT
//
// The common part of all queues: a pipe, a lock for each of its ends, and the state of the queue.
import { inspect } from 'node:util';

import { checkBlockingLimits, deadlineAfter, type Limits, type WaitOptions } from '../core/deadline.js';
import { argumentError, ClosedError, NotSupported, PicklingError, ShutDown } from '../core/errors.js';
import { ArrivingItem, itemDecoder, openBatch } from './arriving-item.js';
import { waitForFeedersAtExit } from './exit.js';
import { leaseDecoder } from './lease.js';
import { LeaseResources, type LeaseQueueDescriptor } from './lease-resources.js';
import { LeaseTransport } from './lease-transport.js';
import { PipeTransport } from './pipe-transport.js';
import type { QueueDescriptor, QueueResources } from './queue-resources.js';
import { QueueReader } from './reader.js';
import { QueueWriter } from './writer.js';
import { CallIterator } from '../event-loop/call-iterator.js';
import type { ChannelFormat } from '../connection/channel-format.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { LostItemsWatch, type LostItems } from './lost-items.js';
import type { Item, QueueStats } from './transport.js';
import { BorrowedBytes } from '../serialization/borrowed-bytes.js';
import type { Exporter } from '../reduction/exporters.js';
import { MessageContext } from '../reduction/attachments.js';
import { checkFunction, checkInteger } from '../core/validate.js';

/** Options of `put` and `get`. */
export interface QueueWaitOptions extends WaitOptions {
  /** Whether to wait at all. Default true; with false, `timeout` is ignored. CPython: `put(item, block)`. */
  block?: boolean | undefined;
}

/** How many items a batch has at most, unless the caller says so. */
const DEFAULT_BATCH = 1024;

/** The common base class of all queues. */
export abstract class BaseQueue<T> {
  readonly #typeName: QueueDescriptor['type'];
  readonly #keepAlive = new KeepAlive();
  #closed = false;
  // Private fields, which no serialisation sees: the first property that a serialisation reads must be the mark.
  readonly #resources: QueueResources | LeaseResources;
  readonly #transport: PipeTransport | LeaseTransport;
  readonly #reader: QueueReader;
  readonly #writer: QueueWriter;
  readonly #lostItems: LostItemsWatch;

  /** @internal */
  protected constructor(typeName: QueueDescriptor['type'], resources: QueueResources | LeaseResources, made: boolean) {
    this.#typeName = typeName;
    this.#resources = resources;
    try {
      if (resources instanceof LeaseResources) {
        const transport = new LeaseTransport(resources);
        this.#transport = transport;
        this.#reader = new QueueReader(transport, leaseDecoder(transport, resources.format));
      } else {
        this.#transport = new PipeTransport(resources, made);
        this.#reader = new QueueReader(this.#transport, itemDecoder(resources.format));
      }
    } catch (error) {
      if (made) resources.close();
      throw error;
    }
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
      return this.withEncoded(item, (encoded) => this.#writer.put(encoded, limits, this.#keepAlive));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`, blocking the thread. */
  putSync(item: T, options?: QueueWaitOptions): void {
    this.checkOpen();
    const deadline = deadlineAfter(checkBlockingLimits(options).timeout);
    this.withEncoded(item, (encoded) => {
      this.#writer.putSync(encoded, deadline, 'putSync');
    });
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
      const limits = checkBlockingLimits(options);
      this.#writer.flush();
      return this.#reader.get(limits, this.#keepAlive) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `get`, blocking the thread. */
  getSync(options?: QueueWaitOptions): T {
    this.checkOpen();
    const deadline = deadlineAfter(checkBlockingLimits(options).timeout);
    this.#writer.flush();
    const item = this.#reader.getSync(deadline, 'getSync');
    return (item instanceof ArrivingItem ? this.#collectSync(item, 'getSync', deadline) : item) as T;
  }

  /**
   * Takes the items off the queue that are there, in their order: at least one, for which it waits as `get` does, and no
   * further one that it would have to wait for, nor once they have 1 MiB together. Other members get nothing meanwhile only
   * as with as many calls of `get`. No CPython counterpart.
   *
   * Rejects as `get` does. An item behind the first that cannot be decoded fails the next get.
   *
   * @param max The largest number of items. Default 1024.
   */
  getMany(max = DEFAULT_BATCH, options?: QueueWaitOptions): Promise<T[]> {
    try {
      const limits = this.#checkBatch(max, options);
      return this.#reader.get(limits, this.#keepAlive, max).then(openBatch<T>);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `getMany`, blocking the thread. */
  getManySync(max = DEFAULT_BATCH, options?: QueueWaitOptions): T[] {
    const deadline = deadlineAfter(this.#checkBatch(max, options).timeout);
    const batch = this.#reader.getSync(deadline, 'getManySync', max) as unknown[];
    const [first] = batch;
    return (first instanceof ArrivingItem ? [this.#collectSync(first, 'getManySync', deadline)] : batch) as T[];
  }

  /**
   * Gets batches, as `getMany` does, until the queue is shut down, or closed here. Leaving the loop early does not close it,
   * and loses no item.
   *
   * @param max The largest number of items in a batch. Default 1024.
   */
  batches(max = DEFAULT_BATCH): AsyncGenerator<T[], void, undefined> {
    checkInteger(max, 'max', 1);
    return new CallIterator((options) => this.getMany(max, options), this.#isEnd);
  }

  /** @internal An item that is there now; undefined if there is none. */
  protected getNow(): { value: unknown } | undefined {
    this.#writer.flush();
    const found = this.#reader.getNow();
    if (!(found?.value instanceof ArrivingItem)) return found;
    if (found.value.collect()) return { value: found.value.open() };
    this.#reader.postpone(found.value);
    return undefined;
  }

  /**
   * Whether the queue was empty at the moment of the call. Other processes may have put or got items since, and an item
   * may have arrived in part. CPython: `empty()`.
   */
  empty(): boolean {
    this.checkOpen();
    this.#writer.flush();
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
    this.#writer.flush();
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
    return new CallIterator((options) => this.get(options), this.#isEnd);
  }

  /** The text that console.log shows. */
  [inspect.custom](): string {
    return `${this.#typeName} { ${this.#closed ? 'closed' : this.show()} }`;
  }

  /** @internal */
  [kReduce](exporter: Exporter): QueueDescriptor | LeaseQueueDescriptor {
    this.checkOpen();
    const resources = this.#resources;
    return resources instanceof LeaseResources
      ? resources.reduce(exporter)
      : resources.reduce(this.#typeName, exporter);
  }

  /** @internal Those of a queue over a pipe. */
  get resources(): QueueResources {
    if (!(this.#resources instanceof LeaseResources)) return this.#resources;
    throw new NotSupported('A queue with leases has no locks');
  }

  /** @internal */
  get transport(): PipeTransport | LeaseTransport {
    return this.#transport;
  }

  /** @internal The format of the items. */
  get format(): ChannelFormat {
    return this.#resources.format;
  }

  /** @internal Puts an item that is serialised. Resolves when no death of this process can lose it. */
  async putSerialized(bytes: Uint8Array): Promise<void> {
    this.checkOpen();
    // A process does not stay for a queue that takes nothing.
    const keepAlive = new KeepAlive();
    keepAlive.on = false;
    const limits = checkBlockingLimits(undefined);
    await this.#writer.put(bytes, limits, keepAlive);
    await this.#writer.whenWritten(limits, keepAlive);
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
   * Puts the bytes of an item with a function of the writer.
   *
   * @internal
   */
  protected withEncoded<R>(item: T, put: (encoded: Item) => R): R {
    const resources = this.#resources;
    const context = new MessageContext(resources instanceof LeaseResources ? -1 : resources.pipe.writer.id);
    const fail = (error: unknown): never => {
      context.failed();
      throw error;
    };
    try {
      const passed = put(this.#encode(item, context));
      return passed instanceof Promise && context.holds ? (passed.catch(fail) as R) : passed;
    } catch (error) {
      return fail(error);
    }
  }

  /** The bytes of an item. A longer one than a member can get would break the queue for all of them. */
  #encode(item: T, context: MessageContext): Item {
    const encoded = this.#resources.format.encodeBorrowed(item, context);
    const length = encoded instanceof BorrowedBytes ? encoded.prefix.length + encoded.bytes.length : encoded.length;
    const [longest, option] = this.#resources.longest;
    if (length <= longest) return encoded;
    throw new PicklingError(`The item has ${length} bytes, more than ${option} of this queue, ${longest}`);
  }

  readonly #isEnd = (error: unknown): boolean =>
    error instanceof ShutDown || (this.#closed && error instanceof ClosedError);

  #checkBatch(max: number, options: QueueWaitOptions | undefined): Limits {
    this.checkOpen();
    checkInteger(max, 'max', 1);
    this.#writer.flush();
    return checkBlockingLimits(options);
  }

  /** The item, which stays for the next call if this one gives up. */
  #collectSync(item: ArrivingItem, operation: string, deadline: number): unknown {
    try {
      item.collectSync(operation, deadline);
    } catch (error) {
      this.#reader.postpone(item);
      throw error;
    }
    return item.open();
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
