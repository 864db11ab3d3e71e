// SPDX-License-Identifier: MIT
//
// Locks and semaphores that processes share. Each is one named POSIX semaphore, used as CPython's multiprocessing uses it,
// so that a Python process at the other end is an equal.
import { NotOwner } from '../core/errors.js';
import { kReduce } from '../reduction/registry.js';
import type { Exporter } from '../reduction/transfer.js';
import { SEM_VALUE_MAX, SemLock, type SemLockDescriptor } from './sem-lock.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { checkBoolean, checkInteger, checkObject } from '../core/validate.js';

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
  protected constructor(what: string, handle: SemaphoreHandle) {
    super(what, 1, handle);
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
  /** @internal For a semaphore that exists. */
  constructor(handle: SemaphoreHandle);
  constructor(handle = SemaphoreHandle.create('Lock', 1)) {
    super('Lock', handle);
  }

  /** @internal */
  override [kReduce](exporter: Exporter): SemLockDescriptor {
    return { type: 'Lock', semaphore: exporter.semaphore(this.handle) };
  }

  /** @internal */
  override releaseAs(owner: object): void {
    // Somebody else may hold it by now, and would not be alone any more.
    if (this.forgetLost(owner)) throw new NotOwner('The Lock was lost in a wait that failed');
    this.post();
    if (this.#count > 0) this.#count--;
  }

  /** @internal */
  override adopt(owner: object): void {
    this.forgetLost(owner);
    this.#count++;
  }

  /** @internal */
  protected override enters(): boolean {
    return false;
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
  /** @internal For a semaphore that exists. */
  constructor(handle: SemaphoreHandle);
  constructor(handle = SemaphoreHandle.create('RLock', 1)) {
    super('RLock', handle);
  }

  /** @internal */
  override [kReduce](exporter: Exporter): SemLockDescriptor {
    return { type: 'RLock', semaphore: exporter.semaphore(this.handle) };
  }

  /** @internal */
  override releaseAs(owner: object): void {
    this.handle.checkOpen();
    if (this.#owner !== owner) throw new NotOwner('The RLock is not owned by its releaser');
    if (this.#count === 1) {
      this.#own(undefined, 0);
      this.post();
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
    this.post();
    return () => {
      this.#own(owner, count);
    };
  }

  /** @internal */
  protected override enters(owner: object): boolean {
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

/** What nobody owns: any number of acquires, each of which anybody may release. */
abstract class Counter extends SemLock {
  /** @internal */
  override releaseAs(): void {
    this.post();
  }

  /** @internal */
  override adopt(): void {
    // Nobody's to record.
  }

  /** @internal */
  override forgetLost(): boolean {
    return false;
  }

  /** @internal */
  protected override enters(): boolean {
    return false;
  }
}

/** A counter that processes share. CPython: `multiprocessing.Semaphore`. */
export class Semaphore extends Counter {
  /** @param value How many can acquire before one has to wait. */
  constructor(value?: number);
  /** @internal For a semaphore that exists. */
  constructor(handle: SemaphoreHandle);
  constructor(value: number | SemaphoreHandle = 1) {
    super('Semaphore', SEM_VALUE_MAX, value instanceof SemaphoreHandle ? value : create('Semaphore', value));
  }

  /** @internal */
  override [kReduce](exporter: Exporter): SemLockDescriptor {
    return { type: 'Semaphore', semaphore: exporter.semaphore(this.handle) };
  }
}

/** A Semaphore whose value never exceeds the one it began with. CPython: `multiprocessing.BoundedSemaphore`. */
export class BoundedSemaphore extends Counter {
  /** @internal The value it began with. */
  readonly bound: number;

  /** @param value How many can acquire before one has to wait, and the highest value. */
  constructor(value?: number);
  /** @internal For a semaphore that exists. */
  constructor(bound: number, handle: SemaphoreHandle);
  constructor(value = 1, handle = create('BoundedSemaphore', value)) {
    super('BoundedSemaphore', value, handle);
    this.bound = value;
  }

  /** @internal */
  override [kReduce](exporter: Exporter): SemLockDescriptor {
    return { type: 'BoundedSemaphore', semaphore: exporter.semaphore(this.handle), bound: this.bound };
  }
}

function create(what: string, value: unknown): SemaphoreHandle {
  checkInteger(value, 'value', 0, SEM_VALUE_MAX);
  return SemaphoreHandle.create(what, value);
}
