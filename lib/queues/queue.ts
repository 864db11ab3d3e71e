// SPDX-License-Identifier: MIT
import { defineAliases } from '../core/aliases.js';
import { BaseQueue } from './base-queue.js';
import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { Empty, NotClosed, NotSupported } from '../core/errors.js';
import { native } from '../native/addon.js';
import { checkQueueOptions, type CheckedOptions, type QueueOptions } from './options.js';
import { makeParts, placesFor, type QueueParts } from './parts.js';
import { Existing, SEM_VALUE_MAX } from '../synchronize/sem-lock.js';
import { checkBoolean, checkObject } from '../core/validate.js';

const queues = native.queues;

/** What a queue object is made for: a new queue, or one that exists. */
export type QueueSource = number | QueueOptions | Existing<QueueParts>;

/**
 * A queue that processes share: any of them put, any of them get. CPython: `multiprocessing.Queue`.
 *
 * It is a pipe, a lock for each of its ends and a semaphore, used as CPython's `queues.py` uses them, so Node and Python
 * processes can be on either side. What does not fit the pipe is written by a thread. Every method that waits has a twin
 * whose name ends in `Sync` and which blocks the thread. An object that is collected is closed.
 */
export class Queue<T = unknown> extends BaseQueue<T> {
  readonly #maxsize: number;
  #thread: 'joined' | 'canceled' = 'joined';

  /** @param options How many items may be on it (default, and for 0 or less: no limit), or options. */
  constructor(options?: number | QueueOptions);
  /** @internal */
  constructor(source: QueueSource | undefined, joinable: boolean);
  constructor(source?: QueueSource, joinable = false) {
    const existing = source instanceof Existing ? source.address : undefined;
    const options: CheckedOptions = checkQueueOptions(source instanceof Existing ? undefined : source);
    const places = existing?.places?.bound ?? placesFor(options.maxsize);
    const { serialization, channel, highWaterMark } = options;
    const parts = existing ?? makeParts({ places, joinable, serialization, highWaterMark, channel });
    super(joinable ? 'JoinableQueue' : 'Queue', parts, existing === undefined);
    this.#maxsize = places;
  }

  /** As `put` with `block: false`, at once. CPython: `put_nowait(item)`. */
  putNowait(item: T): void {
    this.checkOpen();
    this.writer.putNow(this.parts.serialization.encodeLent(item));
  }

  /** As `get` with `block: false`, at once. Throws `Empty` also while earlier calls wait. CPython: `get_nowait()`. */
  getNowait(): T {
    this.checkOpen();
    const found = this.reader.getNow();
    if (found === undefined) throw new Empty();
    return found.value as T;
  }

  /**
   * How many items are on the queue, those included that have not been written yet. Others may have put or got something
   * since. CPython: `qsize()`.
   *
   * @throws `NotSupported` where the system does not tell (macOS).
   */
  qsize(): number {
    return this.#maxsize - this.#free();
  }

  /** Whether there was no place for another item at the moment of asking. CPython: `full()`. */
  full(): boolean {
    return this.#free() === 0;
  }

  /** As in all queues; also of a closed one that was never used to put anything. CPython: `empty()`. */
  override empty(): boolean {
    return this.closed && !this.writer.used ? true : super.empty();
  }

  /**
   * Resolves when everything that was put here has been written. CPython: `join_thread()`. It happens by itself before
   * the process ends, unless `cancelJoinThread` was called: then this does not wait.
   *
   * Rejects with `NotClosed` unless the queue was closed before; `TimeoutError`, an AbortError; or with the reason why it
   * was not written, EPIPE when nobody can get it.
   */
  async joinThread(options?: WaitOptions): Promise<void> {
    const limits = checkLimits(options);
    this.#checkJoin();
    if (this.#thread === 'joined') await this.writer.whenWritten(limits, this.hold);
  }

  /** As `joinThread`, blocking the thread. */
  joinThreadSync(options?: WaitOptions): void {
    const { timeout } = checkLimits(options);
    this.#checkJoin();
    if (this.#thread === 'joined') this.writer.whenWrittenSync(deadlineAfter(timeout));
  }

  /** The process may end although not everything was written, which is lost then. CPython: `cancel_join_thread()`. */
  cancelJoinThread(): void {
    this.#thread = 'canceled';
    queues.cancel(this.handle.id);
  }

  /**
   * Ends the queue for everybody. Nothing can be put any more (`ShutDown`), and who gets goes on until nothing is left,
   * or with `immediate` no further. Calls that wait end in all Node processes. Python processes are not told.
   * CPython: `queue.Queue.shutdown(immediate)` of 3.13, which multiprocessing's queues do not have.
   *
   * @throws `ClosedError`, `NotSupported` for a queue that Python made.
   */
  shutdown(options: { immediate?: boolean } = {}): void {
    checkObject(options, 'options');
    if (options.immediate !== undefined) checkBoolean(options.immediate, 'immediate');
    this.checkOpen();
    if (!this.handle.hasLevel) throw new NotSupported('A queue that Python made cannot be shut down');
    queues.addFlags(this.handle.id, queues.isShutDown | (options.immediate === true ? queues.dropped : 0));
  }

  /** @internal */
  protected override show(): string {
    return this.#maxsize === SEM_VALUE_MAX ? 'open' : `maxsize: ${this.#maxsize}`;
  }

  #free(): number {
    const free = queues.freeSlots(this.handle.id);
    if (free < 0) throw new NotSupported('This system does not tell the value of a semaphore');
    return free;
  }

  #checkJoin(): void {
    if (!this.closed) throw new NotClosed('joinThread needs the queue to be closed first');
  }
}

/** CPython's own spellings of some methods. Their behaviour is that of the camelCase ones. */
export interface Queue<T> {
  /** `getNowait` */
  get_nowait: Queue<T>['getNowait'];
  /** `putNowait` */
  put_nowait: Queue<T>['putNowait'];
  /** `joinThread` */
  join_thread: Queue<T>['joinThread'];
  /** `cancelJoinThread` */
  cancel_join_thread: Queue<T>['cancelJoinThread'];
}

defineAliases(Queue.prototype);
