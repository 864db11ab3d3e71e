// SPDX-License-Identifier: MIT
//
// CPython's Barrier: threading.Barrier over a Condition and two C ints in shared memory, the state and the count.
import { inspect } from 'node:util';

import { deadlineAfter, limitsFrom } from '../core/deadline.js';
import { BrokenBarrier, ClosedError, NotSupported } from '../core/errors.js';
import { checkFunction, checkInteger, checkOptionNames, checkTimeout, optionNames } from '../core/validate.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import type { Exporter } from '../reduction/exporters.js';
import { kReduce, reduceObject } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import { Condition, type ConditionDescriptor, type LockedBody, type WaitLimits } from '../synchronize/condition.js';
import { labelled } from '../synchronize/labels.js';
import type { SemaphoreWaits } from '../synchronize/semaphore-wait.js';
import { Piece, type PieceAddress } from './heap.js';

/** Options of a Barrier. */
export interface BarrierOptions {
  /** What the last party to arrive calls before it releases the others. It must return at once. Default: nothing. */
  action?: (() => void) | undefined;
  /** How long each `wait` waits that has no timeout of its own, in milliseconds. Default: no limit. */
  timeout?: number | null | undefined;
}

/** The result of `describe` for a Barrier. It is plain JSON. */
export interface BarrierDescriptor {
  /** The class. */
  readonly type: 'Barrier';
  /** How many parties it waits for. */
  readonly parties: number;
  /** How long each wait waits, in milliseconds; undefined for no limit. */
  readonly timeout?: number | undefined;
  /** Its condition. */
  readonly condition: ConditionDescriptor;
  /** The address of its state and its count. */
  readonly memory: PieceAddress;
}

const names = optionNames<BarrierOptions>({ action: true, timeout: true });
const mark = shareableMark('Barrier');

/** The states, as in CPython. */
const FILLING = 0;
const DRAINING = 1;
const RESETTING = -1;
const BROKEN = -2;

/** What a Barrier is made of. */
export interface BarrierParts {
  readonly condition: Condition;
  readonly piece: Piece;
}

/** A point that a number of processes reach before any of them goes on. CPython: `multiprocessing.Barrier`. */
export class Barrier {
  /** How many calls of `wait` it takes to release them all. */
  readonly parties: number;
  readonly #action: (() => void) | undefined;
  readonly #timeout: number;
  readonly #condition: Condition;
  readonly #piece: Piece;
  readonly #words: Int32Array;

  constructor(parties: number, options?: BarrierOptions);
  /** @internal For one that exists. */
  constructor(parties: number, options: BarrierOptions, parts: BarrierParts);
  constructor(parties: number, options: BarrierOptions = {}, parts?: BarrierParts) {
    checkInteger(parties, 'parties', 1, 2 ** 31 - 1);
    checkOptionNames(options, names);
    const { action, timeout } = options;
    if (action !== undefined) checkFunction(action, 'action');
    this.parties = parties;
    this.#action = action;
    this.#timeout = checkTimeout(timeout);
    this.#piece = parts?.piece ?? Piece.make(8);
    try {
      this.#condition = parts?.condition ?? labelled('Barrier', () => new Condition());
    } catch (error) {
      this.#piece.close();
      throw error;
    }
    const { buffer, byteOffset } = this.#piece.bytes;
    this.#words = new Int32Array(buffer, byteOffset, 2);
    Object.defineProperty(this, 'shareable', mark);
  }

  /**
   * Waits until as many calls as there are parties wait, in all processes together. CPython: `wait(timeout)`.
   *
   * Rejects with `BrokenBarrier` when the time is up, which breaks the barrier for all parties; so does an abort, which
   * rejects with an AbortError.
   *
   * @returns A number from 0 to `parties - 1`, which each of the calls gets once.
   */
  async wait(limits?: WaitLimits): Promise<number> {
    const { timeout, signal } = limitsFrom(limits);
    return await this.#run(this.#waitBody(this.#timeoutOf(limits, timeout), signal));
  }

  /** As `wait`, blocking. */
  waitSync(limits?: WaitLimits): number {
    const { timeout } = limitsFrom(limits);
    return this.#runSync('waitSync', this.#waitBody(this.#timeoutOf(limits, timeout), undefined));
  }

  /** Makes it as it was at first. The calls that wait reject with `BrokenBarrier`. CPython: `reset()`. */
  async reset(): Promise<void> {
    await this.#run(this.#resetBody());
  }

  /** As `reset`, blocking. */
  resetSync(): void {
    this.#runSync('resetSync', this.#resetBody());
  }

  /** Breaks it: calls that wait, and all later ones, reject with `BrokenBarrier`. CPython: `abort()`. */
  async abort(): Promise<void> {
    await this.#run((owner) => this.#breakSteps(owner));
  }

  /** As `abort`, blocking. */
  abortSync(): void {
    this.#runSync('abortSync', (owner) => this.#breakSteps(owner));
  }

  /** How many calls wait at this moment. CPython: `n_waiting`. */
  get nWaiting(): number {
    return this.#state === FILLING ? this.#count : 0;
  }

  /** Whether it is broken. CPython: `broken`. */
  get broken(): boolean {
    return this.#state === BROKEN;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#piece.closed;
  }

  /** Closes this object; doing so again changes nothing. Pending calls reject with `ClosedError`. */
  close(): void {
    this.#condition.close();
    this.#piece.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Pending calls of this object keep the process alive, which is the default. */
  ref(): this {
    this.#condition.ref();
    return this;
  }

  /** Pending calls of this object no longer keep the process alive. */
  unref(): this {
    this.#condition.unref();
    return this;
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    const state = this.closed ? 'closed' : this.broken ? 'broken' : `waiting: ${this.nWaiting}`;
    return `Barrier { parties: ${this.parties}, ${state} }`;
  }

  /** @internal */
  [kReduce](exporter: Exporter): BarrierDescriptor {
    if (this.#action !== undefined) {
      throw new NotSupported('A Barrier with an action cannot be passed on: functions stay in their process');
    }
    return {
      type: 'Barrier',
      parties: this.parties,
      timeout: this.#timeout === Infinity ? undefined : this.#timeout,
      memory: this.#piece.address(exporter),
      condition: reduceObject(this.#condition, exporter) as ConditionDescriptor,
    };
  }

  get #state(): number {
    this.#piece.checkOpen();
    return this.#words[0] as number;
  }

  set #state(state: number) {
    this.#words[0] = state;
  }

  /** Whether calls that have waited still leave. */
  get #isMoving(): boolean {
    const state = this.#state;
    return state === RESETTING || state === DRAINING;
  }

  get #count(): number {
    return this.#words[1] as number;
  }

  set #count(count: number) {
    this.#words[1] = count;
  }

  #timeoutOf(limits: WaitLimits | undefined, timeout: number): number {
    const given = typeof limits === 'object' && limits !== null ? limits.timeout : limits;
    return given === undefined || given === null ? this.#timeout : timeout;
  }

  #run<T>(body: LockedBody<T>): Promise<T> {
    return run(this.#withLock(body), this.#condition.lock.keepAlive);
  }

  #runSync<T>(operation: string, body: LockedBody<T>): T {
    // The others could not wake while this thread is blocked.
    this.#condition.checkNoWaitPending(operation);
    return runSync(this.#withLock(body), operation);
  }

  #withLock<T>(body: LockedBody<T>): SemaphoreWaits<T> {
    if (this.closed) throw new ClosedError('Barrier');
    return this.#condition.lockedSteps(body);
  }

  #notifyAll(owner: object): SemaphoreWaits<void> {
    return this.#condition.notifySteps(owner, Infinity, 'notifyAll');
  }

  #waitBody(timeout: number, signal: AbortSignal | undefined): LockedBody<number> {
    const deadline = deadlineAfter(timeout);
    return (owner) => this.#waitSteps(owner, deadline, signal);
  }

  *#waitSteps(owner: object, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<number> {
    // CPython: _enter. A barrier that drains takes no new calls.
    while (this.#isMoving) {
      const notified = yield* this.#condition.waitSteps(owner, deadline, signal);
      if (!notified && this.#isMoving) throw new BrokenBarrier();
    }
    if (this.#state === BROKEN) throw new BrokenBarrier();
    const index = this.#count++;
    try {
      if (index + 1 === this.parties) yield* this.#releaseSteps(owner);
      else yield* this.#sleepSteps(owner, deadline, signal);
    } finally {
      if (!this.closed) yield* this.#leaveSteps(owner);
    }
    return index;
  }

  *#releaseSteps(owner: object): SemaphoreWaits<void> {
    try {
      this.#action?.();
    } catch (error) {
      yield* this.#breakSteps(owner);
      throw error;
    }
    this.#state = DRAINING;
    yield* this.#notifyAll(owner);
  }

  *#sleepSteps(owner: object, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<void> {
    while (this.#state === FILLING) {
      let notified: boolean;
      try {
        notified = yield* this.#condition.waitSteps(owner, deadline, signal);
      } catch (error) {
        if (!this.closed && this.#state === FILLING) yield* this.#breakSteps(owner);
        throw error;
      }
      if (!notified && this.#state === FILLING) yield* this.#breakSteps(owner);
    }
    if (this.#state < 0) throw new BrokenBarrier();
  }

  *#leaveSteps(owner: object): SemaphoreWaits<void> {
    if (--this.#count > 0) return;
    if (!this.#isMoving) return;
    this.#state = FILLING;
    yield* this.#notifyAll(owner);
  }

  *#breakSteps(owner: object): SemaphoreWaits<void> {
    this.#state = BROKEN;
    yield* this.#notifyAll(owner);
  }

  #resetBody(): LockedBody<void> {
    const steps = function* (this: Barrier, owner: object): SemaphoreWaits<void> {
      if (this.#count === 0) this.#state = FILLING;
      else if (this.#state === FILLING || this.#state === BROKEN) this.#state = RESETTING;
      yield* this.#notifyAll(owner);
    };
    return (owner) => steps.call(this, owner);
  }
}

makeFair(Barrier.prototype);
