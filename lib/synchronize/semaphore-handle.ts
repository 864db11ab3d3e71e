// SPDX-License-Identifier: MIT
//
// One open semaphore as this environment uses it: acquiring and posting, with time limits, async and blocking. Locks,
// conditions and events are built from these.
import { constants } from 'node:os';

import { ensureListening, request, requestSync, type Background } from '../event-loop/completions.js';
import { nextTurn } from '../event-loop/next-turn.js';
import { deadlineAfter, millisecondsLeft, throwIfAborted, type Limits } from '../core/deadline.js';
import { BusyError, ClosedError, NotSupported, OwnerDied, semaphoreError, TimeoutError } from '../core/errors.js';
import { native } from '../native/addon.js';
import type { SemaphoreAddress, TransferableSemaphore } from '../reduction/exporters.js';
import { hasOneCpu } from '../core/cpus.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { takeTurn } from '../event-loop/reactor.js';
import { checkInterrupted, flushUnwritten, unwritten } from '../event-loop/sync-wait.js';
import { nextLabel, noteMade } from './labels.js';
import { hasUnrecordedUsers } from './unrecorded-waiters.js';

const codes = native.status;
const semaphores = native.semaphores;

/** How long an asynchronous acquire tries on the event loop before it waits in the background. */
const SPIN_NS = 20_000;

/** Closes semaphores whose objects were collected. */
const collected = new FinalizationRegistry<number>((id) => {
  semaphores.close(id);
});

/** Sync calls need a started environment too: they ask it whether this is a worker, and when the worker ends. */
export class SemaphoreHandle implements TransferableSemaphore {
  readonly #typeName: string;
  readonly #id: number;
  #closed = false;
  /** How many calls wait for a turn of the event loop before their first attempt. */
  #beforeTurn = 0;
  /** The calls that wait in the background. */
  #pending: Set<PendingCall<boolean | undefined>> | undefined;

  /** A new semaphore of this process' family. */
  static create(typeName: string, value: number): SemaphoreHandle {
    const id = semaphores.create(value, nextLabel(typeName));
    if (id < 0) throw semaphoreError(id, 'sem_open');
    noteMade(() => semaphores.describe(id).number);
    return new SemaphoreHandle(typeName, id);
  }

  /** A semaphore that exists. */
  static attach(typeName: string, { name, family, number }: SemaphoreAddress): SemaphoreHandle {
    const inFamily = family !== undefined && number !== undefined;
    const id = inFamily ? semaphores.attach(family, number) : semaphores.openNamed(name, false, 0);
    if (id < 0) throw semaphoreError(id, 'sem_open', name);
    return new SemaphoreHandle(typeName, id);
  }

  /** A new semaphore under a name that the caller has chosen. */
  static createNamed(typeName: string, name: string, value: number): SemaphoreHandle {
    const id = semaphores.openNamed(name, true, value);
    if (id < 0) throw semaphoreError(id, 'sem_open', name);
    return new SemaphoreHandle(typeName, id);
  }

  private constructor(typeName: string, id: number) {
    this.#typeName = typeName;
    this.#id = id;
    try {
      // An operation of several steps must not fail at its wait, since the steps before it cannot be taken back.
      ensureListening();
    } catch (error) {
      semaphores.close(id);
      throw error;
    }
    collected.register(this, id, this);
  }

  /**
   * Records the holder in the family's table, or (`waits`) the waiters of the condition that the semaphore belongs to. Closes
   * the handle and throws if there is no memory for a record.
   */
  track(waits = false): this {
    const status = semaphores.track(this.#id, waits);
    if (status >= 0) return this;
    this.close();
    throw semaphoreError(status, 'posix_fallocate');
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The id of the semaphore in the native layer. */
  get id(): number {
    return this.#id;
  }

  /** Where other processes find the semaphore. */
  get address(): SemaphoreAddress {
    this.checkOpen();
    const { name, family, number } = semaphores.describe(this.#id);
    return family === '' ? { name } : { name, family, number };
  }

  /** Marks the semaphore as used by programs that keep no holder records. To be called before its address goes to one. */
  expose(): void {
    this.checkOpen();
    semaphores.expose(this.#id);
  }

  /** Keeps the name, also after `close`, until `unpin`: a process was given the address and has not opened it yet. */
  pin(): void {
    semaphores.pin(this.#id);
  }

  unpin(): void {
    semaphores.unpin(this.#id);
  }

  get value(): number {
    const value = this.knownValue;
    if (value === undefined) throw new NotSupported('This system does not tell the value of a semaphore');
    return value;
  }

  /**
   * The value, or undefined on systems that do not tell it. Unlike an attempt to take something and give it back, reading
   * changes nothing if the process is killed meanwhile.
   */
  get knownValue(): number | undefined {
    this.checkOpen();
    const value = semaphores.value(this.#id);
    if (value === -constants.errno.ENOSYS) return undefined;
    if (value < 0) throw semaphoreError(value, 'sem_getvalue');
    return value;
  }

  /** Whether there is something to take. Only for a semaphore that no process changes meanwhile. */
  get hasValue(): boolean {
    const value = this.knownValue;
    if (value !== undefined) return value > 0;
    const taken = this.tryAcquire();
    if (taken) this.post();
    return taken;
  }

  checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#typeName);
  }

  /** Adds one to the value, unless it has reached `most`: then false. */
  post(most = -1): boolean {
    this.checkOpen();
    const status = semaphores.post(this.#id, most);
    if (status === codes.overflow) return false;
    if (status < 0) throw semaphoreError(status, 'sem_post');
    return true;
  }

  /** Takes one from the value if it is not 0. */
  tryAcquire(): boolean {
    this.checkOpen();
    const status = semaphores.tryWait(this.#id);
    if (status === 0) return true;
    if (status === codes.again) return false;
    throw semaphoreError(status, 'sem_trywait');
  }

  /**
   * Takes one from the value; resolves to false when the time is up. Calls that wait here are served in their order.
   *
   * @param onTaken Called when a value was taken, before the promise resolves.
   */
  acquire(limits: Limits, keepAlive: KeepAlive, onTaken?: () => void): Promise<boolean> {
    try {
      // The signal may have aborted in an earlier step of the operation that this acquire is a part of.
      throwIfAborted(limits);
      const hadTurn = takeTurn() && this.#beforeTurn === 0;
      if (!hadTurn) return this.#acquireLater(limits, keepAlive, false, onTaken);
      // A call that may wait stays behind those that wait already: an event that is set and then cleared must find the waits
      // that were called before.
      const isFirst = !this.#hasPending() || limits.timeout <= 0;
      if (!isFirst || !this.tryAcquire()) return this.#acquireLater(limits, keepAlive, true, onTaken);
      onTaken?.();
      return Promise.resolve(true);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @param tried Whether there was nothing to take at the first attempt; otherwise that attempt is still to be made. */
  async #acquireLater(
    { timeout, signal }: Limits,
    keepAlive: KeepAlive,
    tried: boolean,
    onTaken: (() => void) | undefined,
  ): Promise<boolean> {
    const deadline = deadlineAfter(timeout);
    let taken = tried ? await this.#wait(deadline, signal, keepAlive) : undefined;
    while (taken === undefined) {
      this.#beforeTurn++;
      await nextTurn();
      this.#beforeTurn--;
      throwIfAborted({ timeout, signal });
      taken = (!this.#hasPending() && this.tryAcquire()) || (await this.#wait(deadline, signal, keepAlive));
    }
    if (taken) onTaken?.();
    return taken;
  }

  /** Undefined if the holder was found dead, but another process has released the semaphore in its place meanwhile. */
  async #wait(deadline: number, signal: AbortSignal | undefined, keepAlive: KeepAlive): Promise<boolean | undefined> {
    const timeout = millisecondsLeft(deadline);
    if (timeout <= 0) return this.#tryLast();
    if (this.#spin()) return true;
    const call = new PendingCall<boolean | undefined>(keepAlive);
    const pending = (this.#pending ??= new Set());
    call.attempt(() => {
      const withdraw = this.request((status) => {
        call.attempt(() => call.resolve(this.#outcome(status)));
      });
      pending.add(call);
      call.onEnd = () => {
        pending.delete(call);
        withdraw();
      };
      const timeoutError = (): Error => new TimeoutError('acquire');
      call.limit({ timeout, signal }, timeoutError, (error) => {
        if (!(error instanceof TimeoutError)) return;
        // The last attempt is to find the value that the request may have taken.
        withdraw();
        call.attempt(() => call.resolve(this.#tryLast() ?? false));
      });
    });
    return await call.promise;
  }

  /** Whether calls wait in the background. */
  #hasPending(): boolean {
    return this.#pending !== undefined && this.#pending.size > 0;
  }

  /** Tries for as long as this is cheaper than waiting in the background, which takes two wake-ups. */
  #spin(): boolean {
    // Calls that wait already come first.
    if (this.#hasPending()) return false;
    const status = semaphores.spin(this.#id, hasOneCpu() ? 0 : SPIN_NS);
    if (status === 0) return true;
    if (status === codes.again) return false;
    throw semaphoreError(status, 'sem_trywait');
  }

  /** As `#wait`, for a call whose time is up. */
  #tryLast(): boolean | undefined {
    this.checkOpen();
    return this.#outcome(semaphores.tryWaitLast(this.#id));
  }

  /**
   * Waits in the background. `settle` is called once, with 0 when a value was taken, or `ownerDied`.
   *
   * @returns What ends the request: `settle` is not called any more, and a value that was taken is given back.
   */
  request(settle: (status: number) => void): () => void {
    return request(this.background, settle);
  }

  /** What `request` asks for. */
  get background(): Background {
    this.checkOpen();
    return {
      start: (number) => semaphores.wait(this.#id, number),
      cancel: (number) => {
        semaphores.cancelWait(number);
      },
      error: (status) => semaphoreError(status, 'pthread_create'),
    };
  }

  /** The blocking form of `acquire`. */
  acquireSync(deadline: number, operation: string): boolean {
    this.checkOpen();
    if (this.#hasPending()) {
      throw new BusyError(
        `${operation}: an asynchronous acquire of this ${this.#typeName} is pending on the same thread`,
      );
    }
    flushUnwritten();
    for (;;) {
      const status =
        unwritten.size > 0
          ? this.#waitWhileWriting(deadline, operation)
          : semaphores.waitSync(this.#id, millisecondsLeft(deadline));
      if (status === codes.interrupted) {
        checkInterrupted(status, operation);
        continue;
      }
      const taken = this.#outcome(status);
      if (taken !== undefined) return taken;
    }
  }

  /** The holder may wait for a message that this process has not written yet, so writing must go on during the wait. */
  #waitWhileWriting(deadline: number, operation: string): number {
    return this.tryAcquire() ? 0 : requestSync(this.background, deadline, operation);
  }

  /** Posts in the place of a dead holder, with `force` also of one without a record. Whether it did. */
  recover(force: boolean): boolean {
    this.checkOpen();
    return semaphores.recover(this.#id, force) > 0;
  }

  setWaiting(count: number): void {
    if (!this.#closed) semaphores.setWaiting(this.#id, count);
  }

  /** How many calls wait on the condition that the semaphore belongs to, by their records. Python processes keep none. */
  countWaiting(): number {
    return semaphores.countWaiting(this.#id);
  }

  /** How many of these are alive, and find a notification in the semaphore alone. */
  countWithoutTag(): number {
    return semaphores.countWithoutTag(this.#id);
  }

  /** How many of these were notified, which they have not noticed yet. */
  countNotified(): number {
    return semaphores.countNotified(this.#id);
  }

  /**
   * Leaves notifications for recorded waiters that are alive, outside of the semaphore: a later waiter cannot take them. Each
   * of these looks for its own every 100 ms.
   *
   * @returns How many were left. There is at most one for each call that waits.
   */
  leaveNotifications(most: number): number {
    return most > 0 ? semaphores.leaveNotifications(this.#id, most) : 0;
  }

  /** Takes a notification that was left for a waiter of this environment, or for one that waits no more. */
  takeNotification(): boolean {
    this.checkOpen();
    return semaphores.takeNotification(this.#id) > 0;
  }

  /** Takes a notification that was left for this environment, if there are more than it has calls that wait. */
  takeSurplusNotification(calls: number): boolean {
    return semaphores.takeSurplusNotification(this.#id, calls) > 0;
  }

  /** Takes the notifications that were left for waiters that have died, or have woken without them. Returns their number. */
  takeOrphanedNotifications(): number {
    return semaphores.takeOrphanedNotifications(this.#id);
  }

  reapDeadWaiters(): number {
    return semaphores.reapDeadWaiters(this.#id);
  }

  /** Pending acquires reject with `ClosedError`. The name is removed if this environment created it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    for (const call of this.#pending ?? []) call.reject(new ClosedError(this.#typeName));
    semaphores.close(this.#id);
  }

  /** Whether a value was taken; undefined if the dead holder that ended the wait is not to be found any more. */
  #outcome(status: number): boolean | undefined {
    // 0 for a value, or more for a notification that was left for this waiter.
    if (status >= 0) return true;
    if (status === codes.timedOut) return false;
    if (status !== codes.ownerDied) throw semaphoreError(status, 'sem_wait');
    // Asked first: a process that opens the semaphore from now on finds it taken.
    const certain = !hasUnrecordedUsers(this.address);
    const pid = semaphores.deadHolder(this.#id);
    if (pid !== 0) throw new OwnerDied(this.#typeName, pid, certain);
    return undefined;
  }
}
