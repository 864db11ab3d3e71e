// SPDX-License-Identifier: MIT
//
// The waiters of a condition: CPython's three semaphores, of which two are counters, and what the waiters and the notifiers
// of both languages do with them.
import { deadlineAfter, millisecondsLeft } from '../core/deadline.js';
import type { Exporter, SemaphoreAddress } from '../reduction/exporters.js';
import { LeftNotificationWait } from './left-notification-wait.js';
import { makeAll } from './sem-lock.js';
import { SemaphoreHandle } from './semaphore-handle.js';
import { SemaphoreWait, type SemaphoreWaits } from './semaphore-wait.js';
import { hasUnrecordedUsers } from './unrecorded-waiters.js';

/** How long a notifier waits for the waiters that it has woken before it looks whether one of them has died. */
const LOOK_MS = 50;

/** How long a notifier is held up by a waiter that does not wake, and may be stopped. */
const LONGEST_MS = 1000;

/** Where the semaphores of an existing condition are, except that of its lock. */
export interface ConditionAddress {
  /** How many waiters sleep, or have woken and are not yet deducted. CPython: `_sleeping_count`. */
  readonly sleeping: SemaphoreAddress;
  /** How many waiters have woken and are not yet deducted. CPython: `_woken_count`. */
  readonly woken: SemaphoreAddress;
  /** The semaphore that waiters sleep on. CPython: `_wait_semaphore`. */
  readonly wait: SemaphoreAddress;
}

/** All methods but `end` and `close` are for the holder of the condition's lock. */
export class WaiterCounts {
  readonly #sleeping: SemaphoreHandle;
  readonly #woken: SemaphoreHandle;
  readonly #wait: SemaphoreHandle;
  #here = 0;

  static create(): WaiterCounts {
    const create = (): SemaphoreHandle => SemaphoreHandle.create('Condition', 0);
    return WaiterCounts.#make([create, create, create]);
  }

  /** For semaphores that exist: all of them, or an error if one of them cannot be opened. */
  static attach({ sleeping, woken, wait }: ConditionAddress): WaiterCounts {
    return WaiterCounts.#make([sleeping, woken, wait].map((at) => () => SemaphoreHandle.attach('Condition', at)));
  }

  static #make(makers: readonly (() => SemaphoreHandle)[]): WaiterCounts {
    return new WaiterCounts(...(makeAll(makers) as [SemaphoreHandle, SemaphoreHandle, SemaphoreHandle]));
  }

  private constructor(sleeping: SemaphoreHandle, woken: SemaphoreHandle, wait: SemaphoreHandle) {
    this.#sleeping = sleeping;
    this.#woken = woken;
    this.#wait = wait.track(true);
  }

  /** How many calls of this object wait. */
  get here(): number {
    return this.#here;
  }

  /** How many calls of all processes wait. */
  get everywhere(): number {
    return this.#sleeping.value - this.#woken.value;
  }

  addressFor(exporter: Exporter): ConditionAddress {
    return {
      sleeping: exporter.semaphore(this.#sleeping),
      woken: exporter.semaphore(this.#woken),
      wait: exporter.semaphore(this.#wait),
    };
  }

  /**
   * Counts one call as asleep.
   *
   * @returns Whether the semaphore has notifications for earlier waiters.
   */
  begin(): boolean {
    const startsLate = this.#wait.hasValue;
    // Notifications of waiters that have died belong to those that wait already.
    this.#wait.leaveNotifications(this.#wait.takeOrphanedNotifications());
    // In this order: a waiter that dies in between is counted and has no record, which costs no other waiter its count.
    this.#sleeping.post();
    this.#countHere(1);
    return startsLate;
  }

  /** Takes `begin` back. */
  undo(): void {
    this.#countHere(-1);
    this.#sleeping.tryAcquire();
  }

  /**
   * Waits for a notification.
   *
   * @param startsLate Whether notifications were left for earlier waiters when this call began to wait.
   * @returns Whether one came before the deadline.
   */
  *sleepSteps(startsLate: boolean, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<boolean> {
    if (startsLate) {
      const notified = yield new LeftNotificationWait(this.#wait, deadline, signal);
      if (notified || millisecondsLeft(deadline) <= 0) return notified;
    }
    return yield new SemaphoreWait(this.#wait, deadline, signal);
  }

  /**
   * Counts one call as awake.
   *
   * @param notified Whether a notification has woken it, not the end of its time or an error.
   */
  end(notified: boolean): void {
    // It may have taken a value that was meant for another waiter, and have a notification of its own in the table.
    if (notified && this.#wait.takeSurplusNotification(this.#here - 1)) this.#wait.post();
    this.#countHere(-1);
    this.#woken.post();
  }

  /** Ends all calls of this object, and counts them as awake. */
  close(): void {
    const ended = this.#here;
    this.#countHere(-ended);
    // A value that the waits have taken goes back first: a notifier that waits for these calls looks for it afterwards.
    this.#wait.close();
    for (let left = ended; left > 0; left--) this.#woken.post();
    this.#sleeping.close();
    this.#woken.close();
  }

  #countHere(change: number): void {
    this.#here += change;
    this.#wait.setWaiting(this.#here);
  }

  /**
   * Wakes up to `n` waiters, and ends when they have woken. A waiter that does not wake for a while holds the notifier up for
   * `LONGEST_MS` only, which proves nothing: its notification is left for it. The notification of a waiter that has died goes
   * to another waiter.
   */
  *notifySteps(n: number): SemaphoreWaits<void> {
    const wanted = n + this.#settle();
    let asleep = this.#wake(wanted);
    let awake = 0;
    const patience = deadlineAfter(LONGEST_MS);
    while (asleep > 0) {
      if (yield new SemaphoreWait(this.#woken, Math.min(patience, deadlineAfter(LOOK_MS)))) {
        asleep--;
        awake++;
      } else if (millisecondsLeft(patience) <= 0) {
        break;
      } else {
        asleep -= Math.min(asleep, this.#wait.reapDeadWaiters());
        // A dead waiter may have been woken in the place of another one, which this wakes.
        asleep += this.#wake(wanted - awake - asleep);
      }
    }
    this.#leave(asleep);
  }

  /**
   * Corrects the counters for what has happened since the last notification.
   *
   * @returns How many earlier notifications have reached no waiter. They are given anew.
   */
  #settle(): number {
    const owed = this.#takeBackNotifications() + this.#wait.takeOrphanedNotifications();
    // Waiters whose time was up have woken without a notification.
    while (this.#woken.tryAcquire()) this.#sleeping.tryAcquire();
    // Waiters that have died will never wake.
    for (let dead = this.#wait.reapDeadWaiters(); dead > 0; dead--) this.#sleeping.tryAcquire();
    // A notifier that died has deducted waiters that it did not wake. Those that keep records are counted by these.
    for (let missing = this.#wait.countWaiting() - this.#asleep; missing > 0; missing--) this.#sleeping.post();
    return owed;
  }

  /** How many waiters sleep that no notifier is waking; Infinity on systems that do not tell. */
  get #asleep(): number {
    return this.#sleeping.knownValue ?? Infinity;
  }

  /** Notifies up to `most` of those that sleep and were not notified before, and returns their number. */
  #wake(most: number): number {
    const count = Math.min(most, this.#asleep - this.#wait.countNotified());
    let woken = 0;
    while (woken < count && this.#sleeping.tryAcquire()) {
      this.#wait.post();
      woken++;
    }
    return woken;
  }

  /**
   * Takes the notifications back that no waiter has taken, and leaves them for those to whom they belong. If all seem to have
   * woken, one may have died or given up in the place of a waiter that is only slow.
   *
   * @param asleep How many have not woken.
   */
  #leave(asleep: number): void {
    const untaken = this.#takeBackNotifications();
    const rest = untaken - this.#wait.leaveNotifications(untaken);
    if (asleep === 0) return;
    const unrecorded = Math.min(rest, Math.max(0, asleep + this.#asleep - this.#wait.countWaiting()));
    // Waiters without records take their notification from the semaphore, if there is such a process at all.
    const exist = unrecorded > 0 && hasUnrecordedUsers(this.#wait.address);
    const stay = Math.min(rest, this.#wait.countWithoutTag() + (exist ? unrecorded : 0));
    for (let left = stay; left > 0; left--) this.#wait.post();
    // Waiters that have not woken count as asleep again, until they count themselves as awake.
    for (let left = exist ? asleep : asleep - unrecorded; left > 0; left--) this.#sleeping.post();
  }

  /** Takes back the notifications that no waiter has taken, and returns their number. */
  #takeBackNotifications(): number {
    let taken = 0;
    while (this.#wait.tryAcquire()) taken++;
    return taken;
  }
}
