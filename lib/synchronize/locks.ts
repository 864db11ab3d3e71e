// SPDX-License-Identifier: MIT
//
// Locks and semaphores that processes share. Each is one named POSIX semaphore, used as CPython's multiprocessing uses it,
// so that a Python process can share it on equal terms.
import { NotOwner } from '../core/errors.js';
import { kReduce } from '../reduction/registry.js';
import type { Exporter } from '../reduction/exporters.js';
import { SEM_VALUE_MAX, SemLock, type SemLockDescriptor } from './sem-lock.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { checkBoolean, checkInteger, checkOptionNames, optionNames } from '../core/validate.js';

const recoverNames = optionNames<NonNullable<Parameters<OwnableLock['recover']>[0]>>({ force: true });

/** A lock that its owner has released for the time of a wait. */
export interface Suspended {
  /** To be called when the semaphore of the lock has been taken again. */
  restore(): void;
  /** To be called when the semaphore could not be taken again. */
  lose(): void;
}

/** A lock that a Condition can release and acquire again in the middle of a wait. */
export abstract class OwnableLock extends SemLock {
  readonly #lost = new WeakSet<object>();

  /** @internal */
  protected constructor(typeName: string, handle: SemaphoreHandle) {
    super(typeName, 1, handle);
    this.handle.track();
  }

  /**
   * Releases the lock in the place of a holder that has died, and returns whether it did so. A lock whose name was given
   * to other programs is not released automatically, since one of them may have released it already.
   *
   * @param options.force Release the lock also if the holder has left no record: it may have been killed within the few
   *   instructions between acquiring the lock and recording it, or be no Node process. Only right if you know that no
   *   process holds the lock.
   */
  recover(options: { force?: boolean } = {}): boolean {
    checkOptionNames(options, recoverNames);
    if (options.force !== undefined) checkBoolean(options.force, 'force');
    return this.handle.recover(options.force === true);
  }

  /** @internal Throws `NotOwner` if `owner` does not hold it. */
  checkOwned(owner: object, operation: string): void {
    this.handle.checkOpen();
    if (!this.isOwned(owner)) throw new NotOwner(`${operation} needs the condition's lock to be acquired first`);
  }

  /** @internal Releases everything that `owner` holds. */
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

  /** @internal Returns a function to be called when the semaphore has been taken again. */
  protected abstract releaseAll(owner: object): () => void;
}

/**
 * A lock that processes share. CPython: `multiprocessing.Lock`.
 *
 * Any process may release it, not only the one that acquired it. It is not re-entrant.
 */
export class Lock extends OwnableLock {
  /** How many acquires through this object have no release yet. */
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
    // Another process may hold the lock by now, and would no longer be alone.
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
 * Inside `withLock(fn)` the owner is that call of `fn`, with everything it awaits. Outside, the owner is the thread, as in
 * CPython. So asynchronous tasks that must exclude each other use `withLock`.
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

/** A semaphore that counts: any process may release what another one has acquired. */
abstract class Counter extends SemLock {
  /** @internal */
  override releaseAs(): void {
    this.post();
  }

  /** @internal */
  override adopt(): void {
    // Semaphores have no owner.
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
  /** @param value How many acquires succeed before one has to wait. */
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

  /** @param value How many acquires succeed before one has to wait, and the highest value. */
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

function create(typeName: string, value: unknown): SemaphoreHandle {
  checkInteger(value, 'value', 0, SEM_VALUE_MAX);
  return SemaphoreHandle.create(typeName, value);
}
