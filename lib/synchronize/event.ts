// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { Condition, type LockedBody, type WaitLimits } from './condition.js';
import { deadlineAfter, limitsFrom } from '../core/deadline.js';
import { ClosedError } from '../core/errors.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter, SemaphoreAddress } from '../reduction/exporters.js';
import { checkExisting } from './sem-lock.js';
import { labelled } from './labels.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import type { SemaphoreWaits } from './semaphore-wait.js';
import { Lock } from './locks.js';
import type { ConditionAddress } from './waiter-counts.js';

/** Where the semaphores of an existing event are. */
export interface EventAddress {
  /** The lock of its condition. CPython: `_cond._lock`. */
  readonly lock: SemaphoreAddress;
  /** The condition that `wait` sleeps on. CPython: `_cond`. */
  readonly condition: ConditionAddress;
  /** 1 while the event is set. CPython: `_flag`. */
  readonly flag: SemaphoreAddress;
}

/** What `describe` makes of an Event. It is plain JSON. */
export interface EventDescriptor {
  /** The class. */
  readonly type: 'Event';
  /** Its parts. */
  readonly event: EventAddress;
}

/** What an Event consists of. */
export interface EventParts {
  /** Its lock is a Lock. */
  readonly condition: Condition;
  readonly flag: SemaphoreHandle;
}

const mark = shareableMark('Event');

function makeParts(): EventParts {
  return labelled('Event', makeSemaphores);
}

function makeSemaphores(): EventParts {
  const condition = makeCondition();
  try {
    return { condition, flag: SemaphoreHandle.create('Event', 0) };
  } catch (error) {
    condition.close();
    throw error;
  }
}

function makeCondition(): Condition {
  const lock = new Lock();
  try {
    return new Condition(lock);
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** A flag that processes share and can wait for. CPython: `multiprocessing.Event`. */
export class Event {
  readonly #condition: Condition;
  readonly #flag: SemaphoreHandle;

  constructor();
  /** @internal For one that exists. */
  constructor(parts: EventParts);
  constructor({ condition, flag } = makeParts()) {
    checkExisting(flag, SemaphoreHandle);
    this.#condition = condition;
    this.#flag = flag;
    Object.defineProperty(this, 'shareable', mark);
  }

  /** Whether the flag is set. CPython: `is_set()`. */
  async isSet(): Promise<boolean> {
    return await this.#run(() => ({ value: this.#isSetNow() }));
  }

  /** As `isSet`, blocking. */
  isSetSync(): boolean {
    return this.#runSync('isSetSync', () => ({ value: this.#isSetNow() }));
  }

  /** Sets the flag and wakes all waiters. CPython: `set()`. */
  async set(): Promise<void> {
    await this.#run((owner) => this.#setSteps(owner));
  }

  /** As `set`, blocking. */
  setSync(): void {
    this.#condition.checkNoWaitPending('setSync');
    this.#runSync('setSync', (owner) => this.#setSteps(owner));
  }

  /** Clears the flag. CPython: `clear()`. */
  async clear(): Promise<void> {
    await this.#run(() => this.#clearNow());
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
    const { timeout, signal } = limitsFrom(limits);
    return await this.#run((owner) => this.#waitSteps(owner, deadlineAfter(timeout), signal));
  }

  /** As `wait`, blocking. */
  waitSync(limits?: WaitLimits): boolean {
    const deadline = deadlineAfter(limitsFrom(limits).timeout);
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
  [kReduce](exporter: Exporter): EventDescriptor {
    const event = {
      lock: exporter.semaphore(this.#condition.lock.handle),
      condition: this.#condition.addressFor(exporter),
      flag: exporter.semaphore(this.#flag),
    };
    return { type: 'Event', event };
  }

  #run<T>(body: LockedBody<T>): Promise<T> {
    return run(this.#withLock(body), this.#condition.lock.keepAlive);
  }

  #runSync<T>(operation: string, body: LockedBody<T>): T {
    return runSync(this.#withLock(body), operation);
  }

  #withLock<T>(body: LockedBody<T>): SemaphoreWaits<T> {
    if (this.closed) throw new ClosedError('Event');
    return this.#condition.lockedSteps(body);
  }

  /** The lock is held, so no process changes the flag. */
  #isSetNow(): boolean {
    return this.#flag.hasValue;
  }

  #clearNow(): { value: undefined } {
    this.#flag.tryAcquire();
    return { value: undefined };
  }

  *#setSteps(owner: object): SemaphoreWaits<void> {
    if (!this.#isSetNow()) this.#flag.post();
    yield* this.#condition.notifySteps(owner, Infinity, 'set');
  }

  *#waitSteps(owner: object, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<boolean> {
    if (this.#isSetNow()) return true;
    // A notification is proof that the flag was set, although it may be cleared again by now.
    const notified = yield* this.#condition.waitSteps(owner, deadline, signal);
    return notified || this.#isSetNow();
  }
}

makeFair(Event.prototype);
