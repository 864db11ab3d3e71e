// SPDX-License-Identifier: MIT
//
// Locks and semaphores that processes share. Each is one named POSIX semaphore, used as CPython's multiprocessing uses it,
// so that a Python process at the other end is an equal.
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';

import { checkLimits, deadlineAfter, type Limits, type WaitOptions } from './deadline.js';
import { NotOwner, ReleasedTooOften, TimeoutError } from './errors.js';
import { Hold } from './reactor.js';
import { SemaphoreHandle, type SemaphoreAddress } from './semaphore-handle.js';
import { shareableMark } from './shareable.js';
import { checkBoolean, checkInteger, checkObject } from './validate.js';

/** The largest value of a semaphore. CPython: `SemLock.SEM_VALUE_MAX`. */
export const SEM_VALUE_MAX = 2 ** 31 - 1;

/** Options of `acquire`. */
export interface AcquireOptions extends WaitOptions {
  /** Whether to wait at all. Default true; with false, `timeout` has no meaning. CPython: `acquire(block)`. */
  block?: boolean | undefined;
}

/** What a `withLock` callback runs in: which locks it owns, and as whom. */
interface Scope {
  readonly lock: object;
  readonly token: object;
  readonly outer: Scope | undefined;
}

const scopes = new AsyncLocalStorage<Scope | undefined>();

/** An existing semaphore that an object is to be made of, instead of a new one. */
export class Existing {
  readonly address: SemaphoreAddress;
  constructor(address: SemaphoreAddress) {
    this.address = address;
  }
}

function checkAcquire(options: AcquireOptions | undefined): Limits {
  const limits = checkLimits(options);
  if (options?.block === undefined) return limits;
  checkBoolean(options.block, 'block');
  return options.block ? limits : { timeout: 0, signal: limits.signal };
}

/**
 * What `guard` resolves to: the right to use what a lock protects, given back by `release()` or at the end of an
 * `await using` or `using` block. CPython: the body of `with lock:`.
 */
export class Guard {
  #release: (() => void) | undefined;

  /** @internal */
  constructor(release: () => void) {
    this.#release = release;
  }

  /** Gives it back; doing so again changes nothing. */
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

/** What all locks and semaphores have in common. CPython: `multiprocessing.synchronize.SemLock`. */
export abstract class SemLock {
  readonly #what: string;
  readonly #most: number;
  readonly #hold = new Hold();
  /** @internal */
  readonly handle: SemaphoreHandle;

  /** @internal */
  protected constructor(what: string, value: number, most: number, existing: unknown) {
    this.#what = what;
    this.#most = most;
    this.handle =
      existing instanceof Existing
        ? SemaphoreHandle.attach(what, existing.address)
        : SemaphoreHandle.create(what, value);
    Object.defineProperty(this, 'shareable', shareableMark(what));
  }

  /**
   * Takes one from the value, waiting while it is 0. CPython: `acquire(block, timeout)`.
   *
   * Resolves to false when the time is up, or at once with `block: false`. Rejects with `ClosedError`, `OwnerDied` (locks),
   * or an AbortError.
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    const limits = checkAcquire(options);
    return this.acquireAs(this.currentOwner(), limits);
  }

  /** As `acquire`, blocking the thread. Throws `BusyError` while an asynchronous acquire is pending here. */
  acquireSync(options?: AcquireOptions): boolean {
    const { timeout } = checkAcquire(options);
    return this.acquireAsSync(this.currentOwner(), timeout, 'acquireSync');
  }

  /** Gives one back. CPython: `release()`. Throws `ReleasedTooOften`, `ClosedError`, for an RLock `NotOwner`. */
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
   * Acquires, and resolves to what releases. For an RLock each guard owns by itself: only a `withLock` callback re-enters.
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

  /** The value of the semaphore: how many more could acquire at this moment. CPython: `get_value()`. */
  get value(): number {
    return this.handle.value;
  }

  /**
   * The semaphore's name, for programs in other languages. From now on the death of a holder is reported instead of
   * mended by itself, since what others do with the name is not known here. CPython: `_semlock.name`.
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
   * Closes this object; doing so again changes nothing. Pending acquires reject with `ClosedError`. If it was created
   * here, its name goes: who has it open goes on, nobody can open it any more.
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
    this.#hold.on = true;
    return this;
  }

  /** Pending acquires of this object no longer keep the process alive. */
  unref(): this {
    this.#hold.on = false;
    return this;
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return this.closed ? `${this.#what} { closed }` : `${this.#what} { value: ${this.value} }`;
  }

  /** @internal What pending operations of this object hold the event loop with. */
  get hold(): Hold {
    return this.#hold;
  }

  /** @internal The token of the innermost `withLock` of this object that the caller runs in. */
  currentToken(): object | undefined {
    for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) {
      if (scope.lock === this) return scope.token;
    }
    return undefined;
  }

  /** @internal Who a bare call is made by: a `withLock` callback, or the thread as a whole. */
  currentOwner(): object {
    return this.currentToken() ?? thread;
  }

  /** @internal Whether `owner` has lost what it held, in a wait that could not take it again. Asked once. */
  forgetLost(_owner: object): boolean {
    return false;
  }

  /** @internal */
  acquireAs(_owner: object, limits: Limits): Promise<boolean> {
    return this.handle.acquire(limits, this.#hold);
  }

  /** @internal */
  acquireAsSync(_owner: object, timeout: number, operation: string): boolean {
    return this.handle.acquireSync(deadlineAfter(timeout), operation);
  }

  /** @internal */
  releaseAs(_owner: object): void {
    if (!this.handle.post(this.#most)) throw new ReleasedTooOften(this.#what);
  }
}

/** Who owns what was acquired outside of any `withLock`. */
const thread = {};

/** A lock that was given back in the middle of what it protects. */
export interface Suspended {
  /** To be called when its semaphore has been taken again. */
  restore(): void;
  /** To be called when it could not be. */
  lose(): void;
}

/** A lock that a Condition can give back and take again in the middle of a wait. */
export abstract class OwnableLock extends SemLock {
  readonly #lost = new WeakSet<object>();

  /** @internal */
  protected constructor(what: string, existing: unknown) {
    super(what, 1, 1, existing);
    this.handle.track();
  }

  /**
   * Releases the lock in the place of a holder that has died, and returns whether it did so. Where the name was given to
   * other programs that is never done by itself, since one of them may have done so already.
   *
   * @param options.force Release it also if the holder has left no trace, as one that was killed within the few
   *   instructions between acquiring and recording it, or one that is no Node process. Only right if you know that
   *   nobody holds it.
   */
  recover(options: { force?: boolean } = {}): boolean {
    checkObject(options, 'options');
    if (options.force !== undefined) checkBoolean(options.force, 'force');
    return this.handle.recover(options.force === true);
  }

  /** @internal Throws `NotOwner` if `owner` does not hold it. */
  checkOwned(owner: object, operation: string): void {
    this.handle.checkOpen();
    if (!this.isOwned(owner)) throw new NotOwner(`${operation} needs the condition's lock to be acquired first`);
  }

  /** @internal Records that the semaphore was taken for `owner`. */
  abstract adopt(owner: object): void;

  /** @internal Gives everything back that `owner` holds. */
  suspend(owner: object): Suspended {
    const restore = this.releaseAll(owner);
    return { restore, lose: () => this.#lost.add(owner) };
  }

  /** @internal */
  override forgetLost(owner: object): boolean {
    return this.#lost.delete(owner);
  }

  /** @internal */
  protected abstract isOwned(owner: object): boolean;

  /** @internal Returns what takes account of the semaphore having been taken again. */
  protected abstract releaseAll(owner: object): () => void;
}

/**
 * A lock that processes share. CPython: `multiprocessing.Lock`.
 *
 * Anybody may release it, also another process. It is not re-entrant.
 */
export class Lock extends OwnableLock {
  /** How often it was acquired and not released through this object. */
  #count = 0;

  constructor();
  /** @internal */
  constructor(existing: Existing);
  constructor(existing?: Existing) {
    super('Lock', existing);
  }

  /** @internal */
  override async acquireAs(owner: object, limits: Limits): Promise<boolean> {
    const taken = await super.acquireAs(owner, limits);
    if (taken) this.adopt(owner);
    return taken;
  }

  /** @internal */
  override acquireAsSync(owner: object, timeout: number, operation: string): boolean {
    const taken = super.acquireAsSync(owner, timeout, operation);
    if (taken) this.adopt(owner);
    return taken;
  }

  /** @internal */
  override releaseAs(owner: object): void {
    // Somebody else may hold it by now, and would not be alone any more.
    if (this.forgetLost(owner)) throw new NotOwner('The Lock was lost in a wait that failed');
    super.releaseAs(owner);
    if (this.#count > 0) this.#count--;
  }

  /** @internal */
  override adopt(owner: object): void {
    this.forgetLost(owner);
    this.#count++;
  }

  /** @internal */
  protected override isOwned(): boolean {
    return this.#count > 0;
  }

  /** @internal */
  protected override releaseAll(owner: object): () => void {
    this.releaseAs(owner);
    return () => {
      this.adopt(owner);
    };
  }
}

/**
 * A lock that its owner may acquire several times. CPython: `multiprocessing.RLock`.
 *
 * Inside `withLock(fn)` the owner is that call of `fn`, with everything it awaits; outside it is the thread, as in CPython,
 * so that asynchronous tasks which must exclude each other use `withLock`.
 */
export class RLock extends OwnableLock {
  #owner: object | undefined;
  #count = 0;

  constructor();
  /** @internal */
  constructor(existing: Existing);
  constructor(existing?: Existing) {
    super('RLock', existing);
  }

  /** @internal */
  override async acquireAs(owner: object, limits: Limits): Promise<boolean> {
    if (this.#enters(owner)) return true;
    const taken = await super.acquireAs(owner, limits);
    if (taken) this.adopt(owner);
    return taken;
  }

  /** @internal */
  override acquireAsSync(owner: object, timeout: number, operation: string): boolean {
    if (this.#enters(owner)) return true;
    const taken = super.acquireAsSync(owner, timeout, operation);
    if (taken) this.adopt(owner);
    return taken;
  }

  /** @internal */
  override releaseAs(owner: object): void {
    this.handle.checkOpen();
    if (this.#owner !== owner) throw new NotOwner('The RLock is not owned by its releaser');
    if (this.#count === 1) {
      this.#own(undefined, 0);
      super.releaseAs(owner);
    } else {
      this.#count--;
    }
  }

  /** @internal */
  override adopt(owner: object): void {
    this.#own(owner, 1);
  }

  /** @internal */
  protected override isOwned(owner: object): boolean {
    return this.#owner === owner;
  }

  /** @internal */
  protected override releaseAll(owner: object): () => void {
    const count = this.#count;
    this.#own(undefined, 0);
    super.releaseAs(owner);
    return () => {
      this.#own(owner, count);
    };
  }

  #enters(owner: object): boolean {
    this.handle.checkOpen();
    if (this.#owner !== owner) return false;
    this.#count++;
    return true;
  }

  #own(owner: object | undefined, count: number): void {
    this.#owner = owner;
    this.#count = count;
  }
}

/** A counter that processes share. CPython: `multiprocessing.Semaphore`. */
export class Semaphore extends SemLock {
  /** @param value How many can acquire before one has to wait. */
  constructor(value?: number);
  /** @internal */
  constructor(existing: Existing);
  constructor(value: number | Existing = 1) {
    if (!(value instanceof Existing)) checkInteger(value, 'value', 0, SEM_VALUE_MAX);
    super('Semaphore', value as number, SEM_VALUE_MAX, value);
  }
}

/** A Semaphore whose value never exceeds the one it began with. CPython: `multiprocessing.BoundedSemaphore`. */
export class BoundedSemaphore extends SemLock {
  /** @internal The value it began with. */
  readonly bound: number;

  /** @param value How many can acquire before one has to wait, and the highest value. */
  constructor(value?: number);
  /** @internal */
  constructor(bound: number, existing: Existing);
  constructor(value = 1, existing?: Existing) {
    checkInteger(value, 'value', 0, SEM_VALUE_MAX);
    super('BoundedSemaphore', value, value, existing);
    this.bound = value;
  }
}
