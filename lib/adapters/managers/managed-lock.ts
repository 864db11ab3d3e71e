// SPDX-License-Identifier: MIT
import { checkBlockingLimits, throwIfAborted, type Limits } from '../../core/deadline.js';
import { ReleasedTooOften } from '../../core/errors.js';
import { checkBoolean, checkOptionNames, optionNames } from '../../core/validate.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { KeepAlive } from '../../event-loop/keep-alive.js';
import type { AcquireOptions } from '../../synchronize/sem-lock.js';
import { Waiters } from './waiters.js';
import { markAsOwn } from '../../reduction/shareable.js';

/** Options of a ManagedLock. */
export interface ManagedLockOptions {
  /** Whether its owner may acquire it again, as an `RLock`. Default false. */
  recursive?: boolean | undefined;
}

const names = optionNames<ManagedLockOptions>({ recursive: true });

/** The owner of the locks that this process acquires itself. */
const SELF = {};

/**
 * A lock in the memory of this process, for the clients of a `ManagerServer` and for the process itself. A lock whose owner
 * is a client is released when the client's connection ends, however the client ends. CPython: the `Lock` or `RLock` of a
 * manager, which then stays locked for ever.
 */
export class ManagedLock {
  readonly #recursive: boolean;
  readonly #keepAlive = new KeepAlive();
  readonly #waiters = new Waiters<boolean>();
  #owner: object | undefined;
  #count = 0;

  constructor(options: ManagedLockOptions = {}) {
    markAsOwn(this);
    checkOptionNames(options, names);
    const { recursive = false } = options;
    checkBoolean(recursive, 'recursive');
    this.#recursive = recursive;
  }

  /** Whether it is acquired. CPython: `locked()`. */
  locked(): boolean {
    return this.#count > 0;
  }

  /** Acquires the lock. Resolves to false when the time is up. CPython: `acquire(block, timeout)`. */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    return await this.acquireFor(SELF, checkBlockingLimits(options));
  }

  /** Releases the lock, whatever has acquired it. CPython: `release()`. Throws `ReleasedTooOften` if it is not acquired. */
  release(): void {
    if (this.#count === 0) throw new ReleasedTooOften('ManagedLock');
    if (--this.#count === 0) this.#pass();
  }

  /** @internal Releases the lock for an owner that is gone. */
  abandon(owner: object): void {
    if (this.#owner !== owner) return;
    this.#count = 0;
    this.#pass();
  }

  /** @internal */
  async acquireFor(owner: object, limits: Limits): Promise<boolean> {
    if (this.#count === 0 || (this.#recursive && this.#owner === owner)) {
      this.#owner = owner;
      this.#count++;
      return true;
    }
    if (limits.timeout <= 0) return false;
    throwIfAborted(limits);
    const acquired = await this.#waiters.wait(limits, this.#keepAlive, () => false).promise;
    if (acquired) this.#owner = owner;
    return acquired;
  }

  #pass(): void {
    this.#owner = undefined;
    // The call that has waited longest gets it, and says for which owner.
    if (this.#waiters.serve(true)) this.#count = 1;
  }
}

makeFair(ManagedLock.prototype, 'acquire');
