// SPDX-License-Identifier: MIT
//
// What all locks and semaphores have in common: acquiring and releasing by bare calls, around a callback, or by a guard.
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';

import { checkBlockingLimits, checkLimits, deadlineAfter, type Limits, type WaitOptions } from '../core/deadline.js';
import { argumentError, ReleasedTooOften, TimeoutError } from '../core/errors.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { kReduce } from '../reduction/registry.js';
import { shareableMark } from '../reduction/shareable.js';
import type { Exporter, SemaphoreAddress } from '../reduction/exporters.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { checkFunction } from '../core/validate.js';

/** The largest value of a semaphore. CPython: `SemLock.SEM_VALUE_MAX`. */
export const SEM_VALUE_MAX = 2 ** 31 - 1;

/** Options of `acquire`. */
export interface AcquireOptions extends WaitOptions {
  /** Whether to wait at all. Default true; with false, `timeout` has no meaning. CPython: `acquire(block)`. */
  block?: boolean | undefined;
}

/** What `describe` makes of a lock or a semaphore. It is plain JSON. */
export interface SemLockDescriptor {
  /** The class. */
  readonly type: 'Lock' | 'RLock' | 'Semaphore' | 'BoundedSemaphore';
  /** The address of the semaphore. CPython: `_semlock.name`. */
  readonly semaphore: SemaphoreAddress;
  /** The highest value of a BoundedSemaphore. */
  readonly bound?: number;
}

/** What a `withLock` callback runs in: the lock, the token that owns it, and the scope around. */
interface Scope {
  readonly lock: object;
  readonly token: object;
  readonly outer: Scope | undefined;
}

const scopes = new AsyncLocalStorage<Scope | undefined>();

/** Throws unless `part` was made here: the constructors are public, but their second forms are not. */
export function checkExisting<T>(part: unknown, type: { readonly prototype: T }): asserts part is T {
  if (!(part instanceof (type as unknown as abstract new () => unknown))) {
    throw argumentError('type', 'Objects for semaphores that exist already are made by attach()');
  }
}

/** Makes several semaphores, or none if one of them cannot be made. */
export function makeAll(makers: readonly (() => SemaphoreHandle)[]): SemaphoreHandle[] {
  const made: SemaphoreHandle[] = [];
  try {
    for (const make of makers) made.push(make());
    return made;
  } catch (error) {
    for (const handle of made) handle.close();
    throw error;
  }
}

const guardMark = shareableMark('Guard', 'it belongs to the caller that has acquired the lock');

/**
 * What `guard` resolves to: one acquire, which `release()` or the end of an `await using` or `using` block releases.
 * CPython: the body of `with lock:`.
 */
export class Guard {
  #release: (() => void) | undefined;

  /** @internal */
  constructor(release: () => void) {
    this.#release = release;
    Object.defineProperty(this, 'shareable', guardMark);
  }

  /** Releases what was acquired; doing so again changes nothing. */
  release(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  /** `release()`, for `using`. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** `release()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }
}

makeFair(Guard.prototype, Symbol.asyncDispose);

/** What all locks and semaphores have in common. CPython: `multiprocessing.synchronize.SemLock`. */
export abstract class SemLock {
  readonly #typeName: string;
  readonly #most: number;
  readonly #keepAlive = new KeepAlive();
  /** @internal */
  readonly handle: SemaphoreHandle;

  /** @internal */
  protected constructor(typeName: string, most: number, handle: SemaphoreHandle) {
    checkExisting(handle, SemaphoreHandle);
    this.#typeName = typeName;
    this.#most = most;
    this.handle = handle;
    Object.defineProperty(this, 'shareable', shareableMark(typeName));
  }

  /**
   * Takes one from the value, waiting while it is 0. CPython: `acquire(block, timeout)`.
   *
   * Resolves to false when the time is up, or at once with `block: false`. Rejects with `ClosedError`, `OwnerDied` (locks),
   * or an AbortError.
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    try {
      return this.acquireAs(this.currentOwner(), checkBlockingLimits(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `acquire`, blocking the thread. Throws `BusyError` while an asynchronous acquire is pending here. */
  acquireSync(options?: AcquireOptions): boolean {
    const { timeout } = checkBlockingLimits(options);
    return this.acquireAsSync(this.currentOwner(), timeout, 'acquireSync');
  }

  /** Releases what one acquire has taken. CPython: `release()`. Throws `ReleasedTooOften`, `ClosedError`, for an RLock `NotOwner`. */
  release(): void {
    this.releaseAs(this.currentOwner());
  }

  /**
   * Acquires, runs `fn`, and releases however `fn` ends. CPython: `with lock:`.
   *
   * @param options Limits for acquiring. Rejects with `TimeoutError` when the time is up.
   * @returns What `fn` returns or resolves to.
   */
  async withLock<T>(fn: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    checkFunction(fn, 'fn');
    const limits = checkLimits(options);
    const token = this.currentToken() ?? {};
    if (!(await this.acquireAs(token, limits))) throw new TimeoutError('withLock');
    try {
      return await scopes.run({ lock: this, token, outer: scopes.getStore() }, fn);
    } finally {
      if (!this.forgetLost(token)) this.releaseAs(token);
    }
  }

  /**
   * Acquires, and resolves to a Guard that releases. Of an RLock each guard is an owner of its own: only a `withLock` callback
   * re-enters.
   *
   * @param options Limits for acquiring. Rejects with `TimeoutError` when the time is up.
   */
  async guard(options?: WaitOptions): Promise<Guard> {
    const limits = checkLimits(options);
    const token = this.currentToken() ?? {};
    if (!(await this.acquireAs(token, limits))) throw new TimeoutError('guard');
    return new Guard(() => {
      if (!this.forgetLost(token)) this.releaseAs(token);
    });
  }

  /** The value of the semaphore: how many more acquires would succeed at this moment. CPython: `get_value()`. */
  get value(): number {
    return this.handle.value;
  }

  /**
   * The semaphore's name, for programs in other languages. From now on the death of a holder is reported and no longer
   * repaired automatically, since programs that use the name keep no records. CPython: `_semlock.name`.
   */
  get name(): string {
    this.handle.expose();
    return this.handle.address.name;
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.handle.closed;
  }

  /**
   * Closes this object; doing so again changes nothing. Pending acquires reject with `ClosedError`. If the semaphore was
   * created here, its name is removed: processes that have it open go on using it, but no process can open it any more.
   */
  close(): void {
    this.handle.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Pending acquires of this object keep the process alive, which is the default. */
  ref(): this {
    this.#keepAlive.on = true;
    return this;
  }

  /** Pending acquires of this object no longer keep the process alive. */
  unref(): this {
    this.#keepAlive.on = false;
    return this;
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return this.closed ? `${this.#typeName} { closed }` : `${this.#typeName} { value: ${this.value} }`;
  }

  /** @internal */
  abstract [kReduce](exporter: Exporter): SemLockDescriptor;

  /** @internal What the pending operations of this object keep the event loop alive with. */
  get keepAlive(): KeepAlive {
    return this.#keepAlive;
  }

  /** @internal The token of the innermost `withLock` of this object that the caller runs in. */
  currentToken(): object | undefined {
    for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) {
      if (scope.lock === this) return scope.token;
    }
    return undefined;
  }

  /** @internal The owner that a bare call stands for: a `withLock` callback, or the thread as a whole. */
  currentOwner(): object {
    return this.currentToken() ?? thread;
  }

  /** @internal */
  acquireAs(owner: object, limits: Limits): Promise<boolean> {
    try {
      if (this.enters(owner)) return Promise.resolve(true);
      return this.handle.acquire(limits, this.#keepAlive, () => {
        this.adopt(owner);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal */
  acquireAsSync(owner: object, timeout: number, operation: string): boolean {
    if (this.enters(owner)) return true;
    const taken = this.handle.acquireSync(deadlineAfter(timeout), operation);
    if (taken) this.adopt(owner);
    return taken;
  }

  /** @internal */
  abstract releaseAs(owner: object): void;

  /** @internal Records that a value was taken for `owner`. */
  abstract adopt(owner: object): void;

  /** @internal Whether `owner` holds the lock already; if so, counts one more acquire. */
  protected abstract enters(owner: object): boolean;

  /** @internal Whether `owner` has lost the lock, in a wait that could not acquire it again. True once for each loss. */
  abstract forgetLost(owner: object): boolean;

  /** @internal */
  protected post(): void {
    if (!this.handle.post(this.#most)) throw new ReleasedTooOften(this.#typeName);
  }
}

/** The owner of what was acquired outside of any `withLock`. */
const thread = {};

makeFair(SemLock.prototype, 'withLock', 'guard');
