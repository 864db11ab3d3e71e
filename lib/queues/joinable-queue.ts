// SPDX-License-Identifier: MIT
import { defineAliases } from '../core/aliases.js';
import type { QueueWaitOptions } from './base-queue.js';
import { checkBlockingLimits, checkLimits, deadlineAfter, onceAborted, type WaitOptions } from '../core/deadline.js';
import { NotSupported, TaskDoneError, TimeoutError } from '../core/errors.js';
import { Queue, type QueueSource } from './queue.js';
import { endLease, endLeaseSync, type Lease } from './lease.js';
import { joinLeases, joinLeasesSync } from './lease-join.js';
import { makeLeases, type JoinableQueueOptions } from './lease-options.js';
import { LeaseResources } from './lease-resources.js';
import { LeaseTransport } from './lease-transport.js';
import type { PipeTransport } from './pipe-transport.js';
import { QueueResources, type Joinable } from './queue-resources.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { POLL_MS } from './transport.js';
import type { SemaphoreWaits } from '../synchronize/semaphore-wait.js';

/**
 * A Queue that counts which items have been processed. CPython: `multiprocessing.JoinableQueue`.
 *
 * A consumer calls `taskDone` after it has processed an item; `join` waits until all items are processed. With the
 * option `leases`, an item that a consumer has got and not finished when it ends is handed out again. A consumer is one
 * queue object in one thread of one process.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /** The transport of a queue with leases. */
  readonly #leases: LeaseTransport | undefined;

  /** @param options The largest number of items on the queue (0 or less, the default: no limit), or options. */
  constructor(options?: number | JoinableQueueOptions<T>);
  /** @internal For an existing queue. */
  constructor(resources: QueueResources | LeaseResources);
  constructor(source?: QueueSource | JoinableQueueOptions<T>) {
    const made = !(source instanceof QueueResources || source instanceof LeaseResources);
    super((made ? makeLeases(source) : undefined) ?? source, true, made);
    this.#leases = this.transport instanceof LeaseTransport ? this.transport : undefined;
  }

  /** As in all queues. With leases, the item is leased by this consumer until `taskDone`. */
  override get(options?: QueueWaitOptions): Promise<T> {
    const got = super.get(options);
    return this.#leases === undefined ? got : (got as Promise<unknown> as Promise<Lease<T>>).then(itemOf);
  }

  /** As `get`, blocking the thread. */
  override getSync(options?: QueueWaitOptions): T {
    return this.#leases === undefined ? super.getSync(options) : itemOf(super.getSync(options) as Lease<T>);
  }

  /** As in all queues. With leases, the items are leased by this consumer until as many calls of `taskDone`. */
  override getMany(max?: number, options?: QueueWaitOptions): Promise<T[]> {
    const got = super.getMany(max, options);
    return this.#leases === undefined ? got : (got as Promise<unknown> as Promise<Lease<T>[]>).then(itemsOf);
  }

  /** As `getMany`, blocking the thread. */
  override getManySync(max?: number, options?: QueueWaitOptions): T[] {
    const got = super.getManySync(max, options);
    return this.#leases === undefined ? got : itemsOf(got as unknown as Lease<T>[]);
  }

  /** As in all queues. With leases, the item is leased by this consumer until `taskDone`. */
  override getNowait(): T {
    return this.#leases === undefined ? super.getNowait() : itemOf(super.getNowait() as Lease<T>);
  }

  /**
   * As `get`, for a queue with leases: resolves to the item together with its receipt. The receipt ends this very lease,
   * in any order, and says how often the item was handed out; `taskDone` ends the oldest lease of this consumer.
   *
   * Rejects as `get`, and with `NotSupported` for a queue without leases.
   */
  async getLease(options?: QueueWaitOptions): Promise<Lease<T>> {
    checkBlockingLimits(options);
    this.#checkLeases();
    return (await super.get(options)) as Lease<T>;
  }

  /** As `getLease`, blocking the thread. */
  getLeaseSync(options?: QueueWaitOptions): Lease<T> {
    checkBlockingLimits(options);
    this.#checkLeases();
    return super.getSync(options) as Lease<T>;
  }

  /**
   * As in all queues. With leases, items that were handed out and came back count too, although they take no place.
   *
   * @throws `NotSupported` where the system cannot read the value of a semaphore (macOS).
   */
  override qsize(): number {
    return this.#leases?.waiting ?? super.qsize();
  }

  /**
   * Marks one item that was got as processed. CPython: `task_done()`. With leases, this is the item that this consumer
   * has had for the longest time. Rejects with `TaskDoneError` if no item is unprocessed, or with leases if this
   * consumer has none; `ClosedError`; or `OwnerDied`.
   */
  async taskDone(): Promise<void> {
    this.checkOpen();
    if (this.#leases !== undefined) await endLease(this.#leases, 0, true);
    else await run(this.#taskDoneSteps('taskDone'), this.keepAlive);
  }

  /** As `taskDone`, blocking the thread. */
  taskDoneSync(): void {
    this.checkOpen();
    if (this.#leases !== undefined) {
      endLeaseSync(this.#leases, 0, true, 'taskDoneSync');
      return;
    }
    this.#joinable.condition.checkNoWaitPending('taskDoneSync');
    runSync(this.#taskDoneSteps('taskDoneSync'), 'taskDoneSync');
  }

  /**
   * Resolves when every item that was put has been processed. CPython: `join()`.
   *
   * Rejects with `TimeoutError`, `ClosedError`, `OwnerDied`, or an AbortError; with `ShutDown` or `QueueBroken` if
   * items are left that can no longer be got. With leases, the `TimeoutError` says which consumers have items
   * (`holders`), and how many items no consumer has (`waiting`).
   */
  async join(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = checkLimits(options);
    this.checkOpen();
    if (this.#leases !== undefined) {
      await joinLeases(this.#leases, { timeout, signal }, this.keepAlive, () => this.checkOpen());
      return;
    }
    const ended = new AbortController();
    const abort = (): void => ended.abort(signal?.reason);
    const stopListening = this.#onEnd(abort);
    const stopWatching = signal && onceAborted(signal, abort);
    try {
      await run(this.#joinSteps('join', deadlineAfter(timeout), ended.signal), this.keepAlive);
    } catch (error) {
      if (ended.signal.aborted && signal?.aborted !== true) throw this.transport.end ?? error;
      throw error;
    } finally {
      stopListening();
      stopWatching?.();
    }
  }

  /** As `join`, blocking the thread. */
  joinSync(options?: WaitOptions): void {
    const { timeout } = checkLimits(options);
    this.checkOpen();
    if (this.#leases !== undefined) {
      joinLeasesSync(this.#leases, deadlineAfter(timeout));
      return;
    }
    runSync(this.#joinSteps('joinSync', deadlineAfter(timeout), undefined), 'joinSync');
  }

  #checkLeases(): void {
    if (this.#leases === undefined) {
      throw new NotSupported('This queue has no leases: make it with leases: true');
    }
  }

  /** Of a queue without leases. */
  get #pipe(): PipeTransport {
    return this.transport as PipeTransport;
  }

  get #joinable(): Joinable {
    return this.resources.joinable as Joinable;
  }

  #taskDoneSteps(operation: string): SemaphoreWaits<void> {
    const { condition } = this.#joinable;
    return condition.lockedSteps((owner) => {
      if (!this.#pipe.taskDone()) throw new TaskDoneError();
      return this.#isFinished() ? condition.notifySteps(owner, Infinity, operation) : { value: undefined };
    });
  }

  #joinSteps(operation: string, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<void> {
    const { condition } = this.#joinable;
    const { transport } = this;
    const isFinished = (): boolean => this.#isFinished();
    return condition.lockedSteps(function* (owner): SemaphoreWaits<void> {
      while (!isFinished()) {
        const { end } = transport;
        if (end !== undefined) throw end;
        // When items are lost with a process no member calls taskDone for them, so nothing wakes this one.
        const until = Math.min(deadline, performance.now() + POLL_MS);
        if (yield* condition.waitSteps(owner, until, signal)) continue;
        if (performance.now() >= deadline) throw new TimeoutError(operation);
        transport.checkAccounts();
      }
    });
  }

  /** Whether no item is unfinished. The caller holds the lock, so no process takes a count meanwhile. */
  #isFinished(): boolean {
    return !this.#joinable.unfinished.hasValue;
  }

  /**
   * Calls `callback` when the unfinished items can no longer be finished. Returns a function that cancels this. After the first
   * change of the queue's state nothing tells of further ones, for which the join looks itself.
   */
  #onEnd(callback: () => void): () => void {
    const { transport } = this;
    const look = (): void => {
      if (transport.end !== undefined) callback();
    };
    look();
    return transport.changed ? () => undefined : transport.onceChanged(look);
  }
}

function itemOf<T>(lease: Lease<T>): T {
  return lease.item;
}

function itemsOf<T>(leases: readonly Lease<T>[]): T[] {
  return leases.map(itemOf);
}

/** CPython's spelling of a method, which behaves like the camelCase one. */
export interface JoinableQueue<T> {
  /** `taskDone` */
  task_done: JoinableQueue<T>['taskDone'];
}

makeFair(JoinableQueue.prototype);
defineAliases(JoinableQueue.prototype);
