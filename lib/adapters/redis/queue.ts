// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { defineAliases } from '../../core/aliases.js';
import { checkBlockingLimits, throwIfAborted } from '../../core/deadline.js';
import { ClosedError, ShutDown } from '../../core/errors.js';
import { itemTooLong } from '../../core/redis-errors.js';
import { checkBoolean, checkInteger, checkOptionNames, optionNames } from '../../core/validate.js';
import { CallIterator } from '../../event-loop/call-iterator.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import type { QueueWaitOptions } from '../../queues/base-queue.js';
import type { QueueStats } from '../../queues/transport.js';
import { codecFor, type Codec } from '../../serialization/codec.js';
import { RedisEngine } from './engine.js';
import { RedisLeases, pairsOf, type Found } from './leases.js';
import { checkRedisOptions, type CheckedRedisOptions, type RedisQueueOptions } from './options.js';
import { RedisReader } from './reader.js';
import { RedisWriter } from './writer.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** What the members of a queue over Redis have counted together since it was made. */
export interface RedisQueueStats extends QueueStats {
  /** Items that consumers have now. */
  readonly leased: number;
  /** Items that were put and are not finished. */
  readonly unfinished: number;
}

/** What a look at the queue has found. */
interface Look extends RedisQueueStats {
  /** Whether the queue was shut down: `''` if not, `'drain'`, or `'now'`. */
  readonly down: string;
  /** Items that were never handed out. */
  readonly fresh: number;
  readonly maxsize: number;
}

const shutdownNames = optionNames<NonNullable<Parameters<RedisQueue['shutdown']>[0]>>({ immediate: true });

/**
 * A queue in Redis or Valkey, for processes on any number of hosts, in Node and in Python. It has the methods of `Queue`, all of
 * them asynchronous. CPython: `multiprocessing.Queue`, for what a process gets and puts.
 *
 * An item is handed out at least once: it is finished when the next `get` or `close()` shows that its consumer has received it. If
 * the consumer dies before, the item is handed out again. The client stays the caller's: `close()` does not close it.
 */
export class RedisQueue<T = unknown> {
  readonly #engine: RedisEngine;
  readonly #options: CheckedRedisOptions<RedisQueue<T>>;
  readonly #leases: RedisLeases;
  readonly #reader: RedisReader;
  readonly #writer: RedisWriter;
  readonly #joinable: boolean;
  #codec: Codec | undefined;
  /** How many calls of put wait for the format of the queue. */
  #unencoded = 0;
  #closing: Promise<void> | undefined;

  /** Makes the queue in Redis with its first call, or joins the one of this name. */
  constructor(options: RedisQueueOptions<RedisQueue<T>>);
  /** @internal */
  constructor(options: RedisQueueOptions<RedisQueue<T>>, joinable: boolean);
  constructor(options: RedisQueueOptions<RedisQueue<T>>, joinable = false) {
    markAsOwn(this);
    this.#joinable = joinable;
    this.#options = checkRedisOptions(options, (value) => value instanceof RedisQueue);
    const { connection, name, prefix, settings, ack } = this.#options;
    this.#engine = new RedisEngine(connection, name, prefix, settings);
    this.#leases = new RedisLeases(this.#engine);
    const finished = ack === undefined ? '' : joinable ? 'got' : 'done';
    this.#reader = new RedisReader(this.#engine, this.#leases, finished, (found) => this.#bury(found));
    this.#writer = new RedisWriter(this.#engine);
  }

  /** The name of the queue. */
  get name(): string {
    return this.#options.name;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Puts an item on the queue. CPython: `put(item, block, timeout)`.
   *
   * The item is serialised before this returns, if the queue's format is known: it was given, or a call has been answered.
   * Resolves when the item is in Redis. Items of one queue object keep their order. Rejects with `PicklingError`, `Full` (at
   * once or when the time is up), `ClosedError`, `ShutDown`, `RedisError`, or an AbortError. A call that Redis has not answered
   * when its time is up waits for the answer, since the item may have been put.
   */
  async put(item: T, options?: QueueWaitOptions): Promise<void> {
    this.checkOpen();
    const limits = checkBlockingLimits(options);
    let codec = this.#knownCodec();
    // Behind those that wait for the format, in their order.
    if (codec === undefined || this.#unencoded > 0) {
      this.#unencoded++;
      try {
        codec = await this.#openCodec();
      } finally {
        this.#unencoded--;
      }
      throwIfAborted(limits);
    }
    await this.#writer.put(this.#encode(codec, item), limits);
  }

  /** As `put` with `block: false`. CPython: `put_nowait(item)`. */
  putNowait(item: T): Promise<void> {
    return this.put(item, { block: false });
  }

  /**
   * Takes an item off the queue. CPython: `get(block, timeout)`.
   *
   * Calls are served in the order in which they were made, and many that wait are served with one command. An item that comes
   * for a call that has given up goes back to its place. Rejects with `Empty` (when a look has found nothing, or the time is
   * up), `ClosedError`, `ShutDown`, `RedisError`, `UnpicklingError`, or an AbortError.
   */
  async get(options?: QueueWaitOptions): Promise<T> {
    const [item] = await this.getMany(1, options);
    return item as T;
  }

  /** As `get` with `block: false`. CPython: `get_nowait()`. */
  getNowait(): Promise<T> {
    return this.get({ block: false });
  }

  /**
   * Takes the items that are there, at least one and at most `max`, and about 1 MiB, with one command. Waits only for the
   * first one. Rejects as `get`. No CPython counterpart.
   */
  async getMany(max: number, options?: QueueWaitOptions): Promise<T[]> {
    checkInteger(max, 'max', 1);
    const found = await this.find(max, options);
    const items: T[] = [];
    for (const [i, one] of found.entries()) {
      try {
        const item = await this.decode(one);
        this.received(one);
        items.push(item);
      } catch (error) {
        // One that cannot be decoded is told by a call of its own.
        this.#reader.refuse(found.slice(Math.max(i, 1)));
        if (i > 0) break;
        this.received(one);
        throw error;
      }
    }
    return items;
  }

  /** How many items no consumer has at the moment. CPython: `qsize()`. */
  async qsize(): Promise<number> {
    return (await this.look()).depth;
  }

  /** Whether no item waits at the moment. CPython: `empty()`. */
  async empty(): Promise<boolean> {
    return (await this.qsize()) === 0;
  }

  /** Whether no item can be put at the moment. CPython: `full()`. */
  async full(): Promise<boolean> {
    const { fresh, maxsize } = await this.look();
    return maxsize > 0 && fresh >= maxsize;
  }

  /** What all members have counted together. `recoveries` are the leases that have run out. */
  async stats(): Promise<RedisQueueStats> {
    const { put, got, lost, recoveries, depth, leased, unfinished } = await this.look();
    return { put, got, lost, recoveries, depth, leased, unfinished };
  }

  /**
   * Shuts the queue down for all members, also those that join later. From then on `put` fails with `ShutDown`, and `get` does
   * so once no item waits, or with `immediate` at once. Calls that wait end everywhere. `destroy()` makes the name free again.
   * CPython: `queue.Queue.shutdown(immediate)` of 3.13.
   */
  async shutdown(options: { immediate?: boolean } = {}): Promise<void> {
    checkOptionNames(options, shutdownNames);
    if (options.immediate !== undefined) checkBoolean(options.immediate, 'immediate');
    this.checkOpen();
    await this.#engine.shutdown(options.immediate === true);
  }

  /** Deletes the queue with all its items from Redis. Members that still use it get `RedisError`. */
  async destroy(): Promise<void> {
    this.checkOpen();
    await this.#engine.destroy();
  }

  /**
   * Closes this object. Its calls that wait reject with `ClosedError`; items that were put are still written if there is room;
   * an item that was received is finished, or in a RedisJoinableQueue handed out again unless it was finished. Resolves when
   * Redis has all of that, and rejects with `RedisError` if it cannot be told; then the leases run out. CPython: `close()`.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Gets items until the queue is shut down, or closed here. Leaving the loop early does not close it, and loses no item.
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.#iterate((options) => this.get(options));
  }

  /** As the iterator of the queue itself, but by `getMany(max)`. No CPython counterpart. */
  batches(max: number): AsyncGenerator<T[], void, undefined> {
    checkInteger(max, 'max', 1);
    return this.#iterate((options) => this.getMany(max, options));
  }

  /** The text that console.log shows. */
  [inspect.custom](): string {
    return `${this.constructor.name} { ${this.closed ? 'closed' : `name: ${inspect(this.name)}`} }`;
  }

  /** @internal */
  protected get engine(): RedisEngine {
    return this.#engine;
  }

  /** @internal */
  protected get leases(): RedisLeases {
    return this.#leases;
  }

  /** @internal */
  protected checkOpen(): void {
    if (this.closed) throw new ClosedError(this.#joinable ? 'RedisJoinableQueue' : 'RedisQueue');
  }

  /** @internal Items as Redis has them. */
  protected async find(max: number, options: QueueWaitOptions | undefined): Promise<Found[]> {
    this.checkOpen();
    return await this.#reader.get(max, checkBlockingLimits(options));
  }

  /** @internal Called when the caller gets an item. */
  protected received(found: Found): void {
    if (this.#options.ack === undefined) this.#reader.receive(found);
  }

  /** @internal */
  protected async decode({ bytes }: Found): Promise<T> {
    const codec = this.#knownCodec() ?? (await this.#openCodec());
    return codec.fromOwned(bytes) as T;
  }

  /** @internal */
  protected async look(): Promise<Look> {
    this.checkOpen();
    const [, down, ...counts] = await this.#engine.run('look');
    const [unfinished = 0, fresh = 0, back = 0, length = 0, put = 0, got = 0, recoveries = 0, maxsize = 0] =
      counts.map(Number);
    const depth = fresh + back;
    const leased = length - depth;
    return { down: String(down), unfinished, fresh, depth, leased, put, got, lost: 0, recoveries, maxsize };
  }

  /** @internal Called before the queue leaves Redis. */
  protected async leave(): Promise<void> {
    const [received] = await Promise.all([this.#reader.close(), this.#writer.close()]);
    this.#leases.close();
    if (this.#engine.used) await this.#engine.run('leave', pairsOf(received));
  }

  async #close(): Promise<void> {
    try {
      await this.leave();
    } finally {
      this.#leases.close();
    }
  }

  #iterate<R>(call: (options: QueueWaitOptions) => Promise<R>): AsyncGenerator<R, void, undefined> {
    return new CallIterator(
      call,
      (error) => error instanceof ShutDown || (this.closed && error instanceof ClosedError),
    );
  }

  #encode(codec: Codec, item: T): Buffer {
    const bytes = codec.encode(item);
    const { maxMessageBytes } = this.#options;
    if (bytes.length > maxMessageBytes) throw itemTooLong(bytes.length, maxMessageBytes);
    // The memory of a format is used again for its next value.
    return Buffer.from(bytes);
  }

  #knownCodec(): Codec | undefined {
    const { serialization } = this.#options;
    return serialization === undefined ? this.#codec : (this.#codec ??= codecFor(serialization));
  }

  async #openCodec(): Promise<Codec> {
    const serialization = await this.#engine.format();
    return this.#knownCodec() ?? (this.#codec = codecFor(serialization));
  }

  /** Whether an item was handed out too often. Then it is moved to the dead letters, and finished when it is safe there. */
  #bury(found: Found): boolean {
    const { deadLetters, maxDeliveries } = this.#options;
    if (deadLetters === undefined || found.deliveries <= maxDeliveries) return false;
    void this.moveTo(deadLetters, found);
    return true;
  }

  /** @internal */
  protected async moveTo(deadLetters: RedisQueue<T>, found: Found): Promise<void> {
    try {
      deadLetters.checkOpen();
      await deadLetters.#openCodec();
      await deadLetters.#writer.put(found.bytes, checkBlockingLimits(undefined));
      await this.#leases.end(found, 'done');
    } catch (error) {
      // The lease runs out, and the item is handed out again.
      this.#leases.forget(found);
      process.emitWarning(`An item cannot be moved to the queue for dead letters: ${(error as Error).message}`);
    }
  }
}

/** CPython's spellings of some methods, which behave like the camelCase ones. */
export interface RedisQueue<T> {
  /** `getNowait` */
  get_nowait: RedisQueue<T>['getNowait'];
  /** `putNowait` */
  put_nowait: RedisQueue<T>['putNowait'];
}

makeFair(
  RedisQueue.prototype,
  'put',
  'getMany',
  'qsize',
  'full',
  'stats',
  'shutdown',
  'destroy',
  'close',
  Symbol.asyncDispose,
);
defineAliases(RedisQueue.prototype);
