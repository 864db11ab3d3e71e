// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { Condition, limitsOf, type Body, type ConditionAddress, type WaitLimits } from './condition.js';
import { deadlineAfter } from '../core/deadline.js';
import { ClosedError } from '../core/errors.js';
import { Existing } from './sem-lock.js';
import { SemaphoreHandle, type SemaphoreAddress } from './semaphore-handle.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Giving } from '../reduction/transfer.js';
import { runSteps, runStepsSync, type Steps } from './driver.js';
import { Lock } from './locks.js';

/** Where the semaphores of an existing event are. */
export interface EventAddress {
  /** The lock of its condition. CPython: `_cond._lock`. */
  readonly lock: SemaphoreAddress;
  /** The condition that waits sleep on. CPython: `_cond`. */
  readonly condition: ConditionAddress;
  /** 1 while the event is set. CPython: `_flag`. */
  readonly flag: SemaphoreAddress;
}

const mark = shareableMark('Event');

/** A flag that processes share and can wait for. CPython: `multiprocessing.Event`. */
export class Event {
  readonly #condition: Condition;
  readonly #flag: SemaphoreHandle;

  constructor();
  /** @internal */
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- Only the other one is public.
  constructor(existing: Existing<EventAddress>);
  constructor(existing?: Existing<EventAddress>) {
    const address = Existing.addressIn(existing);
    const opened: { close(): void }[] = [];
    const opening = <T extends { close(): void }>(object: T): T => {
      opened.push(object);
      return object;
    };
    try {
      const lock = opening(address === undefined ? new Lock() : new Lock(new Existing(address.lock)));
      this.#condition = opening(
        address === undefined ? new Condition(lock) : new Condition(lock, new Existing(address.condition)),
      );
      this.#flag =
        address === undefined ? SemaphoreHandle.create('Event', 0) : SemaphoreHandle.attach('Event', address.flag);
    } catch (error) {
      for (const object of opened) object.close();
      throw error;
    }
    Object.defineProperty(this, 'shareable', mark);
  }

  /** Whether the flag is set. CPython: `is_set()`. */
  async isSet(): Promise<boolean> {
    return this.#run(() => ({ value: this.#isSetNow() }));
  }

  /** As `isSet`, blocking. */
  isSetSync(): boolean {
    return this.#runSync('isSetSync', () => ({ value: this.#isSetNow() }));
  }

  /** Sets the flag and wakes all who wait for it. CPython: `set()`. */
  async set(): Promise<void> {
    return this.#run((owner) => this.#setSteps(owner));
  }

  /** As `set`, blocking. */
  setSync(): void {
    this.#condition.checkNobodyWaitsHere('setSync');
    this.#runSync('setSync', (owner) => this.#setSteps(owner));
  }

  /** Clears the flag. CPython: `clear()`. */
  async clear(): Promise<void> {
    return this.#run(() => this.#clearNow());
  }

  /** As `clear`, blocking. */
  clearSync(): void {
    this.#runSync('clearSync', () => this.#clearNow());
  }

  /**
   * Waits until the flag is set. CPython: `wait(timeout)`.
   *
   * Resolves to false when the time is up. Rejects with `ClosedError`, `OwnerDied`, or an AbortError.
   */
  async wait(limits?: WaitLimits): Promise<boolean> {
    const { timeout, signal } = limitsOf(limits);
    return this.#run((owner) => this.#waitSteps(owner, deadlineAfter(timeout), signal));
  }

  /** As `wait`, blocking. */
  waitSync(limits?: WaitLimits): boolean {
    const deadline = deadlineAfter(limitsOf(limits).timeout);
    return this.#runSync('waitSync', (owner) => this.#waitSteps(owner, deadline, undefined));
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#flag.closed;
  }

  /** Closes this object; doing so again changes nothing. Pending calls reject with `ClosedError`. */
  close(): void {
    this.#condition.close();
    this.#flag.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Pending calls of this object keep the process alive, which is the default. */
  ref(): this {
    this.#condition.lock.keepAlive.on = true;
    return this;
  }

  /** Pending calls of this object no longer keep the process alive. */
  unref(): this {
    this.#condition.lock.keepAlive.on = false;
    return this;
  }

  /** What console.log shows. CPython: `<Event at ... set>`. */
  [inspect.custom](): string {
    if (this.closed) return 'Event { closed }';
    return `Event { ${this.#flag.value > 0 ? 'set' : 'unset'} }`;
  }

  /** @internal */
  addressFor(giving: Giving): EventAddress {
    return {
      lock: giving.semaphore(this.#condition.lock.handle),
      condition: this.#condition.addressFor(giving),
      flag: giving.semaphore(this.#flag),
    };
  }

  #run<T>(body: Body<T>): Promise<T> {
    return runSteps(this.#withLock(body), this.#condition.lock.keepAlive);
  }

  #runSync<T>(operation: string, body: Body<T>): T {
    return runStepsSync(this.#withLock(body), operation);
  }

  #withLock<T>(body: Body<T>): Steps<T> {
    if (this.closed) throw new ClosedError('Event');
    return this.#condition.lockedSteps(body);
  }

  #isSetNow(): boolean {
    const set = this.#flag.tryAcquire();
    if (set) this.#flag.post();
    return set;
  }

  #clearNow(): { value: undefined } {
    this.#flag.tryAcquire();
    return { value: undefined };
  }

  *#setSteps(owner: object): Steps<void> {
    this.#flag.tryAcquire();
    this.#flag.post();
    yield* this.#condition.notifySteps(owner, Infinity, 'set');
  }

  *#waitSteps(owner: object, deadline: number, signal: AbortSignal | undefined): Steps<boolean> {
    if (this.#isSetNow()) return true;
    yield* this.#condition.waitSteps(owner, deadline, signal);
    return this.#isSetNow();
  }
}
