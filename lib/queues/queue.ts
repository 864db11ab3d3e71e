// SPDX-License-Identifier: MIT
import { defineAliases } from '../core/aliases.js';
import { BaseQueue } from './base-queue.js';
import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { Empty, NotClosed, NotSupported } from '../core/errors.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { checkQueueOptions, joinableQueueNames, queueNames, type QueueOptions } from './options.js';
import { LeaseResources } from './lease-resources.js';
import { QueueResources, slotsFor } from './queue-resources.js';
import { SEM_VALUE_MAX } from '../synchronize/sem-lock.js';
import { checkBoolean, checkOptionNames, optionNames } from '../core/validate.js';

function makeResources(given: number | QueueOptions | undefined, joinable: boolean): QueueResources {
  const { maxsize, serialization, channel, highWaterMark } = checkQueueOptions(
    given,
    joinable ? joinableQueueNames : queueNames,
  );
  return QueueResources.make({ slots: slotsFor(maxsize), joinable, serialization, highWaterMark, channel });
}

function isResources(source: QueueSource | undefined): source is QueueResources | LeaseResources {
  return source instanceof QueueResources || source instanceof LeaseResources;
}

const shutdownNames = optionNames<NonNullable<Parameters<Queue['shutdown']>[0]>>({ immediate: true });

/** The argument of the constructor: for a new queue its `maxsize` or options, for an existing queue its resources. */
export type QueueSource = number | QueueOptions | QueueResources | LeaseResources;

/**
 * A queue shared by several processes, each of which can put and get. CPython: `multiprocessing.Queue`.
 *
 * It is a pipe, a lock for each of its ends and a semaphore, used as CPython's `queues.py` uses them, so Node and
 * Python processes can be on either side. A thread writes the items that do not fit the pipe. Every method that waits
 * has a blocking twin, whose name ends in `Sync`. A queue object that is garbage collected is closed.
 */
export class Queue<T = unknown> extends BaseQueue<T> {
  readonly #maxsize: number;
  #thread: 'joined' | 'canceled' = 'joined';

  /** @param options The largest number of items on the queue (0 or less, the default: no limit), or options. */
  constructor(options?: number | QueueOptions);
  /** @internal */
  constructor(source: QueueSource | undefined, joinable: boolean, made?: boolean);
  /** @internal For an existing queue. */
  constructor(resources: QueueResources);
  constructor(source?: QueueSource, joinable = false, made = !isResources(source)) {
    const resources = isResources(source) ? source : makeResources(source, joinable);
    super(joinable ? 'JoinableQueue' : 'Queue', resources, made);
    this.#maxsize = resources.slots?.count ?? SEM_VALUE_MAX;
  }

  /** Puts an item, or throws `Full` at once. As `put` with `block: false`. CPython: `put_nowait(item)`. */
  putNowait(item: T): void {
    this.checkOpen();
    this.withEncoded(item, (encoded) => {
      this.writer.putNow(encoded);
    });
  }

  /**
   * Gets an item, or throws `Empty` at once, also while earlier calls wait. As `get` with `block: false`. CPython:
   * `get_nowait()`.
   */
  getNowait(): T {
    this.checkOpen();
    const found = this.getNow();
    if (found === undefined) throw new Empty();
    return found.value as T;
  }

  /**
   * The number of items on the queue, including those that have not been written yet. Other processes may have put or
   * got items since. CPython: `qsize()`.
   *
   * @throws `NotSupported` where the system cannot read the value of a semaphore (macOS).
   */
  qsize(): number {
    return this.#maxsize - this.#free();
  }

  /** Whether the queue was full at the moment of the call. CPython: `full()`. */
  full(): boolean {
    return this.#free() === 0;
  }

  /** As in all queues, but true for a closed object that has put nothing. CPython: `empty()`. */
  override empty(): boolean {
    return this.closed && !this.writer.used ? true : super.empty();
  }

  /**
   * Resolves when every item that was put on this object has been written. CPython: `join_thread()`. The process waits
   * for this by itself before it ends, unless `cancelJoinThread` was called: then this does not wait either.
   *
   * Rejects with `NotClosed` unless the queue was closed before; with `TimeoutError` or an AbortError; or with the
   * error that prevented the writing (EPIPE when no process can get the items).
   */
  async joinThread(options?: WaitOptions): Promise<void> {
    const limits = checkLimits(options);
    this.#checkJoin();
    if (this.#thread === 'joined') await this.writer.whenWritten(limits, this.keepAlive);
  }

  /** As `joinThread`, blocking the thread. */
  joinThreadSync(options?: WaitOptions): void {
    const { timeout } = checkLimits(options);
    this.#checkJoin();
    if (this.#thread === 'joined') this.writer.whenWrittenSync(deadlineAfter(timeout));
  }

  /**
   * Lets the process end before all items are written. The unwritten items are then lost. CPython:
   * `cancel_join_thread()`.
   */
  cancelJoinThread(): void {
    this.#thread = 'canceled';
    this.transport.cancelWriting();
  }

  /**
   * Shuts the queue down for all processes. From then on `put` fails with `ShutDown`, and `get` does so once no item is
   * left, or with `immediate` at once. Pending calls end in all Node processes. Python processes are not told. CPython:
   * `queue.Queue.shutdown(immediate)` of 3.13, which multiprocessing's queues do not have.
   *
   * @throws `ClosedError`, `NotSupported` for a queue that Python made.
   */
  shutdown(options: { immediate?: boolean } = {}): void {
    checkOptionNames(options, shutdownNames);
    if (options.immediate !== undefined) checkBoolean(options.immediate, 'immediate');
    this.checkOpen();
    if (!this.transport.notifies) throw new NotSupported('A queue that Python made cannot be shut down');
    this.transport.shutDown(options.immediate === true);
  }

  /** @internal */
  protected override show(): string {
    return this.#maxsize === SEM_VALUE_MAX ? 'open' : `maxsize: ${this.#maxsize}`;
  }

  #free(): number {
    const free = this.transport.freeSlots;
    if (free < 0) throw new NotSupported('This system cannot read the value of a semaphore');
    return free;
  }

  #checkJoin(): void {
    if (!this.closed) throw new NotClosed('joinThread needs a closed queue: call close() first');
  }
}

/** CPython's spellings of some methods, which behave like the camelCase ones. */
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

makeFair(Queue.prototype);
defineAliases(Queue.prototype);
