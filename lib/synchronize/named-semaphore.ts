// SPDX-License-Identifier: MIT
import { inspect } from 'node:util';

import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { argumentError, ReleasedTooOften, semaphoreError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { shareableMark } from '../reduction/shareable.js';
import { SEM_VALUE_MAX } from './sem-lock.js';
import { checkInteger, checkSemaphoreName } from '../core/validate.js';

const TYPE_NAME = 'NamedSemaphore';
const mark = shareableMark(TYPE_NAME, 'send its name, and open() it on the other side');

/** Key that only this module passes to the constructor. */
const kConstruct = Symbol('NamedSemaphore');

/**
 * The bare POSIX semaphore under a name of your choice, for programs in C and all others that call `sem_open`. No holder is
 * recorded, and the name stays until a program unlinks it.
 */
export class NamedSemaphore {
  readonly #handle: SemaphoreHandle;
  readonly #keepAlive = new KeepAlive();
  /** The name that the semaphore was created or opened with. */
  readonly name: string;

  private constructor(key: typeof kConstruct, handle: SemaphoreHandle, name: string) {
    if (key !== kConstruct) throw argumentError('type', 'A NamedSemaphore is made by create() or open()');
    this.#handle = handle;
    this.name = name;
    Object.defineProperty(this, 'shareable', mark);
  }

  /**
   * Makes a semaphore that does not exist yet, for this user alone (mode 0600).
   *
   * @param name A slash and a name. At most 30 characters on macOS.
   * @param value Its first value.
   * @throws A system error: EEXIST, EACCES, ENOSPC.
   */
  static create(name: string, value = 0): NamedSemaphore {
    checkSemaphoreName(name, 'name');
    checkInteger(value, 'value', 0, SEM_VALUE_MAX);
    return new NamedSemaphore(kConstruct, SemaphoreHandle.createNamed(TYPE_NAME, name, value), name);
  }

  /** Opens a semaphore that exists. Throws a system error: ENOENT, EACCES. */
  static open(name: string): NamedSemaphore {
    checkSemaphoreName(name, 'name');
    return new NamedSemaphore(kConstruct, SemaphoreHandle.attach(TYPE_NAME, { name }), name);
  }

  /** Removes a name; programs that have the semaphore open go on. Throws a system error: ENOENT, EACCES. C: `sem_unlink`. */
  static unlink(name: string): void {
    checkSemaphoreName(name, 'name');
    const status = native.semaphores.unlinkNamed(name);
    if (status < 0) throw semaphoreError(status, 'sem_unlink', name);
  }

  /** Adds one to the value. Throws `ReleasedTooOften` at the highest one, `ClosedError`. C: `sem_post`. */
  post(): void {
    if (!this.#handle.post(SEM_VALUE_MAX)) throw new ReleasedTooOften(TYPE_NAME);
  }

  /**
   * Takes one from the value, waiting while it is 0. C: `sem_wait`.
   *
   * Resolves to false when the time is up. Rejects with `ClosedError` or an AbortError.
   */
  wait(options?: WaitOptions): Promise<boolean> {
    try {
      return this.#handle.acquire(checkLimits(options), this.#keepAlive);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `wait`, blocking. C: `sem_clockwait`. */
  waitSync(options?: WaitOptions): boolean {
    return this.#handle.acquireSync(deadlineAfter(checkLimits(options).timeout), 'waitSync');
  }

  /** Takes one from the value unless it is 0. C: `sem_trywait`. */
  tryWait(): boolean {
    return this.#handle.tryAcquire();
  }

  /** The value at this moment. Throws `NotSupported` on macOS. C: `sem_getvalue`. */
  get value(): number {
    return this.#handle.value;
  }

  /** Removes the name; this object goes on. */
  unlink(): void {
    NamedSemaphore.unlink(this.name);
  }

  /** Whether this object was closed. */
  get closed(): boolean {
    return this.#handle.closed;
  }

  /** Closes this object, not the semaphore's name; doing so again changes nothing. Pending waits reject with `ClosedError`. */
  close(): void {
    this.#handle.close();
  }

  /** `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Pending waits of this object keep the process alive, which is the default. */
  ref(): this {
    this.#keepAlive.on = true;
    return this;
  }

  /** Pending waits of this object no longer keep the process alive. */
  unref(): this {
    this.#keepAlive.on = false;
    return this;
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return this.closed ? `${TYPE_NAME} { closed }` : `${TYPE_NAME} { name: '${this.name}', value: ${this.value} }`;
  }
}

makeFair(NamedSemaphore.prototype);
