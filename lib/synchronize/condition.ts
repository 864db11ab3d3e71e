// SPDX-License-Identifier: MIT
//
// CPython's Condition over the same four semaphores, so that waiters and notifiers of both languages count together:
// the lock, the number of waiters that sleep, the number that have woken, and the semaphore that they sleep on.
import { inspect } from 'node:util';

import { deadlineAfter, limitsFrom, millisecondsLeft, type WaitOptions } from '../core/deadline.js';
import { argumentError, BusyError, ClosedError, InterruptedError } from '../core/errors.js';
import { kReduce, type ReducePart } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter } from '../reduction/exporters.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { SemaphoreWait, type SemaphoreWaits } from './semaphore-wait.js';
import { checkExisting, type AcquireOptions, type Guard, type SemLockDescriptor } from './sem-lock.js';
import { OwnableLock, RLock, type Suspended } from './locks.js';
import { labelled } from './labels.js';
import { checkFunction, checkInteger } from '../core/validate.js';
import { WaiterCounts, type ConditionAddress } from './waiter-counts.js';

/** What `describe` makes of a Condition. It is plain JSON. */
export interface ConditionDescriptor {
  /** The class. */
  readonly type: 'Condition';
  /** Its lock. CPython: `_lock`. */
  readonly lock: SemLockDescriptor;
  /** Its counters. */
  readonly condition: ConditionAddress;
}

/** A timeout in milliseconds, or options. */
export type WaitLimits = number | null | WaitOptions;

/** What is done with the lock held: an algorithm that waits, or something that is done at once. */
export type LockedBody<T> = (owner: object) => SemaphoreWaits<T> | { readonly value: T };

const mark = shareableMark('Condition');

function makeParts(lock: OwnableLock | undefined): [OwnableLock, WaiterCounts] {
  const own = lock ?? new RLock();
  try {
    return [own, WaiterCounts.create()];
  } catch (error) {
    if (lock === undefined) own.close();
    throw error;
  }
}

/**
 * Lets processes wait for something and tell each other that it has happened. CPython: `multiprocessing.Condition`.
 *
 * All methods but those of the lock need the lock to be held: through `withLock`, or `acquire` and `release`.
 */
export class Condition {
  readonly #lock: OwnableLock;
  readonly #waiters: WaiterCounts;
  #closed = false;

  /** @param lock The lock to use, a Lock or an RLock. Default: a new RLock. */
  constructor(lock?: OwnableLock);
  /** @internal For semaphores that exist. */
  constructor(lock: OwnableLock, waiters: WaiterCounts);
  constructor(lock?: OwnableLock, waiters?: WaiterCounts) {
    if (lock !== undefined && !(lock instanceof OwnableLock)) {
      throw argumentError('type', 'lock must be a Lock or an RLock');
    }
    if (waiters !== undefined) checkExisting(waiters, WaiterCounts);
    const own = (): [OwnableLock, WaiterCounts] => makeParts(lock);
    const exist = lock !== undefined && waiters !== undefined;
    [this.#lock, this.#waiters] = exist ? [lock, waiters] : labelled('Condition', own, lock === undefined ? 0 : 1);
    Object.defineProperty(this, 'shareable', mark);
  }

  /** Acquires the condition's lock. CPython: `acquire()`. */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return this.#lock.acquire(options);
  }

  /** As `acquire`, blocking. */
  acquireSync(options?: AcquireOptions): boolean {
    return this.#lock.acquireSync(options);
  }

  /** Releases the condition's lock. CPython: `release()`. */
  release(): void {
    this.#lock.release();
  }

  /** Runs `fn` with the condition's lock held. CPython: `with condition:`. */
  withLock<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    return this.#lock.withLock(fn, options);
  }

  /** Acquires the condition's lock and resolves to what releases it. */
  guard(options?: WaitOptions): Promise<Guard> {
    return this.#lock.guard(options);
  }

  /**
   * Releases the lock, waits for a notification, and acquires the lock again, as often as it was held. CPython:
   * `wait(timeout)`.
   *
   * Resolves to false when the time is up. Rejects with `NotOwner`, `ClosedError`, `OwnerDied`, or an AbortError. In each case
   * the lock is held again, except after `OwnerDied` and `ClosedError`.
   */
  async wait(limits?: WaitLimits): Promise<boolean> {
    const { timeout, signal } = limitsFrom(limits);
    return await run(this.waitSteps(this.#lock.currentOwner(), deadlineAfter(timeout), signal), this.#lock.keepAlive);
  }

  /** As `wait`, blocking. */
  waitSync(limits?: WaitLimits): boolean {
    const deadline = deadlineAfter(limitsFrom(limits).timeout);
    return runSync(this.waitSteps(this.#lock.currentOwner(), deadline, undefined), 'waitSync');
  }

  /**
   * Waits until `predicate` returns something truthy. It is called before the first wait and after each. CPython:
   * `wait_for(predicate, timeout)`.
   *
   * @returns The last result of `predicate`, falsy when the time is up.
   */
  async waitFor<T>(predicate: () => T | PromiseLike<T>, limits?: WaitLimits): Promise<T> {
    checkFunction(predicate, 'predicate');
    const { timeout, signal } = limitsFrom(limits);
    const deadline = deadlineAfter(timeout);
    for (;;) {
      const result = await predicate();
      if (result || millisecondsLeft(deadline) <= 0) return result;
      await run(this.waitSteps(this.#lock.currentOwner(), deadline, signal), this.#lock.keepAlive);
    }
  }

  /** As `waitFor`, blocking, with a predicate that returns its result at once. */
  waitForSync<T>(predicate: () => T, limits?: WaitLimits): T {
    checkFunction(predicate, 'predicate');
    const deadline = deadlineAfter(limitsFrom(limits).timeout);
    for (;;) {
      const result = predicate();
      if (result || millisecondsLeft(deadline) <= 0) return result;
      runSync(this.waitSteps(this.#lock.currentOwner(), deadline, undefined), 'waitForSync');
    }
  }

  /**
   * Wakes up to `n` waiters, and resolves when they have woken. CPython: `notify(n)`. Waiters that were killed do not count,
   * and cannot hold it up for ever. Rejects with `NotOwner` or `ClosedError`.
   */
  async notify(n = 1): Promise<void> {
    checkInteger(n, 'n');
    await run(this.notifySteps(this.#lock.currentOwner(), n, 'notify'), this.#lock.keepAlive);
  }

  /** As `notify`, blocking. */
  notifySync(n = 1): void {
    checkInteger(n, 'n');
    this.checkNoWaitPending('notifySync');
    runSync(this.notifySteps(this.#lock.currentOwner(), n, 'notifySync'), 'notifySync');
  }

  /** Wakes all waiters. CPython: `notify_all()`. */
  async notifyAll(): Promise<void> {
    await run(this.notifySteps(this.#lock.currentOwner(), Infinity, 'notifyAll'), this.#lock.keepAlive);
  }

  /** As `notifyAll`, blocking. */
  notifyAllSync(): void {
    this.checkNoWaitPending('notifyAllSync');
    runSync(this.notifySteps(this.#lock.currentOwner(), Infinity, 'notifyAllSync'), 'notifyAllSync');
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Closes this object and its lock; doing so again changes nothing. Pending calls reject with `ClosedError`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The pending waits of this object end, and can be counted as awake only before its semaphores are closed.
    this.#waiters.close();
    this.#lock.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Pending calls of this object and of its lock keep the process alive, which is the default. */
  ref(): this {
    this.#lock.keepAlive.on = true;
    return this;
  }

  /** Pending calls of this object and of its lock no longer keep the process alive. */
  unref(): this {
    this.#lock.keepAlive.on = false;
    return this;
  }

  /** What console.log shows. CPython: `<Condition(<lock>, <sleepers>)>`. */
  [inspect.custom](): string {
    return this.#closed ? 'Condition { closed }' : `Condition { waiting: ${this.#waiters.everywhere} }`;
  }

  /** @internal */
  get lock(): OwnableLock {
    return this.#lock;
  }

  /** @internal */
  [kReduce](exporter: Exporter, reducePart: ReducePart): ConditionDescriptor {
    const lock = reducePart(this.#lock) as SemLockDescriptor;
    return { type: 'Condition', lock, condition: this.addressFor(exporter) };
  }

  /** @internal */
  addressFor(exporter: Exporter): ConditionAddress {
    return this.#waiters.addressFor(exporter);
  }

  /** @internal Throws if waits are pending on this thread: they could not wake while it is blocked. */
  checkNoWaitPending(operation: string): void {
    if (this.#waiters.here === 0) return;
    throw new BusyError(`${operation}: asynchronous waits of this object are pending on the same thread`);
  }

  /** @internal Runs something with the lock, which all members hold for moments only. */
  *lockedSteps<T>(body: LockedBody<T>): SemaphoreWaits<T> {
    const owner = {};
    yield new SemaphoreWait(this.#lock.handle);
    this.#lock.adopt(owner);
    try {
      const result = body(owner);
      return 'value' in result ? result.value : yield* result;
    } finally {
      if (!this.#lock.forgetLost(owner) && !this.#closed) this.#lock.releaseAs(owner);
    }
  }

  /** @internal */
  *waitSteps(owner: object, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<boolean> {
    if (this.#closed) throw new ClosedError('Condition');
    this.#lock.checkOwned(owner, 'wait');
    const startsLate = this.#waiters.begin();
    let suspended: Suspended;
    try {
      suspended = this.#lock.suspend(owner);
    } catch (error) {
      this.#waiters.undo();
      throw error;
    }
    let notified = false;
    let failure: { error: unknown } | undefined;
    try {
      notified = yield* this.#waiters.sleepSteps(startsLate, deadline, signal);
    } catch (error) {
      failure = { error };
    }
    // Before the lock: a notifier holds the lock while it waits for this count. close() has counted the waits that it ended.
    if (!this.#closed) this.#waiters.end(notified);
    yield* this.#resumeSteps(suspended);
    if (failure !== undefined) throw failure.error;
    return notified;
  }

  *#resumeSteps(suspended: Suspended): SemaphoreWaits<void> {
    for (let taken = false; !taken;) {
      try {
        taken = yield new SemaphoreWait(this.#lock.handle);
      } catch (error) {
        // The listener of the signal runs when the lock is held again and the call returns.
        if (error instanceof InterruptedError) continue;
        suspended.lose();
        throw error;
      }
    }
    suspended.restore();
  }

  /** @internal */
  *notifySteps(owner: object, n: number, operation: string): SemaphoreWaits<void> {
    if (this.#closed) throw new ClosedError('Condition');
    this.#lock.checkOwned(owner, operation);
    yield* this.#waiters.notifySteps(n);
  }
}

makeFair(Condition.prototype, 'withLock', 'guard');
