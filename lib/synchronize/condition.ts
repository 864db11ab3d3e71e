// SPDX-License-Identifier: MIT
//
// CPython's Condition over the same four semaphores, so that waiters and notifiers of both languages count together:
// the lock, the number of waiters that sleep, the number that have woken, and the semaphore that they sleep on.
import { inspect } from 'node:util';

import { deadlineAfter, limitsFrom, millisecondsLeft, type WaitOptions } from '../core/deadline.js';
import { argumentError, BusyError, ClosedError, InterruptedError } from '../core/errors.js';
import { kReduce, type ReducePart } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter, SemaphoreAddress } from '../reduction/transfer.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { mayBeTakenLater } from './unrecorded-waiters.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { SemaphoreWait, type SemaphoreWaits } from './semaphore-wait.js';
import { checkHandle, makeAll, type AcquireOptions, type Guard, type SemLockDescriptor } from './sem-lock.js';
import { OwnableLock, RLock, type Suspended } from './locks.js';
import { checkFunction, checkInteger } from '../core/validate.js';

/** How long a notifier waits for the waiters that it has woken before it looks whether one of them has died. */
const LOOK_MS = 50;

/** How long a notifier is held up by a waiter that does not wake, and may be stopped. */
const LONGEST_MS = 1000;

/** Where the semaphores of an existing condition are, except that of its lock. */
export interface ConditionAddress {
  /** How many waiters sleep, or have woken and are not yet deducted. CPython: `_sleeping_count`. */
  readonly sleeping: SemaphoreAddress;
  /** How many waiters have woken and are not yet deducted. CPython: `_woken_count`. */
  readonly woken: SemaphoreAddress;
  /** The semaphore that waiters sleep on. CPython: `_wait_semaphore`. */
  readonly wait: SemaphoreAddress;
}

/** What `describe` makes of a Condition. It is plain JSON. */
export interface ConditionDescriptor {
  /** The class. */
  readonly type: 'Condition';
  /** Its lock. CPython: `_lock`. */
  readonly lock: SemLockDescriptor;
  /** Its counters. */
  readonly condition: ConditionAddress;
}

/** The semaphores of a condition, except that of its lock. */
export type ConditionSemaphores = Readonly<Record<keyof ConditionAddress, SemaphoreHandle>>;

/** The semaphores of a condition that exists, or none if one of them cannot be opened. */
export function attachConditionSemaphores({ sleeping, woken, wait }: ConditionAddress): ConditionSemaphores {
  return makeSemaphores([sleeping, woken, wait].map((address) => () => SemaphoreHandle.attach('Condition', address)));
}

function makeSemaphores(makers: readonly (() => SemaphoreHandle)[]): ConditionSemaphores {
  const [sleeping, woken, wait] = makeAll(makers) as [SemaphoreHandle, SemaphoreHandle, SemaphoreHandle];
  return { sleeping, woken, wait };
}

/** A timeout in milliseconds, or options. */
export type WaitLimits = number | null | WaitOptions;

/** What is done with the lock held: an algorithm that waits, or something that is done at once. */
export type LockedBody<T> = (owner: object) => SemaphoreWaits<T> | { readonly value: T };

const mark = shareableMark('Condition');

/**
 * Lets processes wait for something and tell each other that it has happened. CPython: `multiprocessing.Condition`.
 *
 * All methods but those of the lock need the lock to be held: through `withLock`, or `acquire` and `release`.
 */
export class Condition {
  readonly #lock: OwnableLock;
  readonly #sleeping: SemaphoreHandle;
  readonly #woken: SemaphoreHandle;
  readonly #wait: SemaphoreHandle;
  #waiting = 0;
  #closed = false;

  /** @param lock The lock to use, a Lock or an RLock. Default: a new RLock. */
  constructor(lock?: OwnableLock);
  /** @internal For semaphores that exist. */
  constructor(lock: OwnableLock, semaphores: ConditionSemaphores);
  constructor(lock?: OwnableLock, semaphores?: ConditionSemaphores) {
    if (lock !== undefined && !(lock instanceof OwnableLock)) {
      throw argumentError('type', 'lock must be a Lock or an RLock');
    }
    const own = lock ?? new RLock();
    try {
      const create = (): SemaphoreHandle => SemaphoreHandle.create('Condition', 0);
      const { sleeping, woken, wait } = semaphores ?? makeSemaphores([create, create, create]);
      for (const handle of [sleeping, woken, wait]) checkHandle(handle);
      this.#sleeping = sleeping;
      this.#woken = woken;
      this.#wait = wait;
    } catch (error) {
      if (lock === undefined) own.close();
      throw error;
    }
    this.#lock = own;
    this.#wait.track(true);
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
    for (let left = this.#waiting; left > 0; left--) {
      this.#countWaiting(-1);
      this.#woken.post();
    }
    for (const handle of [this.#sleeping, this.#woken, this.#wait]) handle.close();
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
    return this.#closed ? 'Condition { closed }' : `Condition { waiting: ${this.#sleeping.value - this.#woken.value} }`;
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
    return {
      sleeping: exporter.semaphore(this.#sleeping),
      woken: exporter.semaphore(this.#woken),
      wait: exporter.semaphore(this.#wait),
    };
  }

  /** @internal Throws if waits are pending on this thread: they could not wake while it is blocked. */
  checkNoWaitPending(operation: string): void {
    if (this.#waiting === 0) return;
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
    this.#sleeping.post();
    this.#countWaiting(1);
    let suspended: Suspended;
    try {
      suspended = this.#lock.suspend(owner);
    } catch (error) {
      this.#countWaiting(-1);
      this.#sleeping.tryAcquire();
      throw error;
    }
    let notified = false;
    let failure: { error: unknown } | undefined;
    try {
      notified = yield new SemaphoreWait(this.#wait, deadline, signal);
    } catch (error) {
      failure = { error };
    }
    // Before the lock: a notifier holds the lock while it waits for this count. close() has counted the waits that it ended.
    if (!this.#closed) {
      this.#countWaiting(-1);
      this.#woken.post();
    }
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

  #countWaiting(change: number): void {
    this.#waiting += change;
    this.#wait.setWaiting(this.#waiting);
  }

  /** @internal */
  *notifySteps(owner: object, n: number, operation: string): SemaphoreWaits<void> {
    if (this.#closed) throw new ClosedError('Condition');
    this.#lock.checkOwned(owner, operation);
    // Notifications that are left for stopped waiters are given anew, with those of this call.
    let owed = this.#takeBackNotifications();
    // Waiters whose time was up have woken without a notification.
    while (this.#woken.tryAcquire()) this.#sleeping.tryAcquire();
    // Waiters that have died will never wake.
    for (let dead = this.#wait.reapDeadWaiters(); dead > 0; dead--) {
      this.#sleeping.tryAcquire();
      if (owed > 0) owed--;
    }
    let asleep = 0;
    while (asleep < n + owed && this.#sleeping.tryAcquire()) {
      this.#wait.post();
      asleep++;
    }
    const patience = deadlineAfter(LONGEST_MS);
    while (asleep > 0) {
      const deadline = Math.min(patience, deadlineAfter(LOOK_MS));
      if (yield new SemaphoreWait(this.#woken, deadline)) asleep--;
      else if (millisecondsLeft(patience) <= 0) break;
      else asleep -= Math.min(asleep, this.#wait.reapDeadWaiters());
    }
    const left = this.#takeBackNotifications();
    if (asleep === 0) return;
    // A waiter that is stopped takes its notification when it goes on. Of a dead one, a later waiter would take it for its own.
    const { address } = this.#wait;
    if (left > 0 && (this.#wait.hasLiveWaiter() || mayBeTakenLater(address))) {
      for (let kept = Math.min(left, asleep); kept > 0; kept--) this.#wait.post();
    }
    // Waiters that have not woken count as asleep again, until they count themselves as awake.
    for (; asleep > 0; asleep--) this.#sleeping.post();
  }

  /** Takes back the notifications that no waiter has taken, and returns their number. */
  #takeBackNotifications(): number {
    let taken = 0;
    while (this.#wait.tryAcquire()) taken++;
    return taken;
  }
}

makeFair(Condition.prototype, 'withLock', 'guard');
