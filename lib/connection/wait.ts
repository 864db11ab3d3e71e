// SPDX-License-Identifier: MIT
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Channel } from './channel.js';
import { Connection } from './connection.js';
import {
  checkLimits,
  deadlineAfter,
  startLimits,
  throwIfAborted,
  type Limits,
  type WaitOptions,
} from '../core/deadline.js';
import { argumentError, systemError, TimeoutError } from '../core/errors.js';
import { native, READ } from '../native/addon.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { arm, ensureStarted, takeTurn, type Pollable } from '../event-loop/reactor.js';
import { blockOn, flushUnwritten } from '../event-loop/sync-wait.js';
import { checkDescriptor, checkTimeout } from '../core/validate.js';

/**
 * What `wait` accepts: a Connection that receives, a process (which is ready when it has ended), or the number of any open
 * descriptor.
 */
export type Waitable = Connection<never, unknown> | Ending | number;

/** A process of any kind. */
export interface Ending {
  /** A descriptor that is readable once it has ended. */
  readonly sentinel: number;
}

/** One object of a wait, as a channel or as a descriptor that is watched through a copy. */
interface Source {
  readonly fd: number;
  readonly channel: Channel | undefined;
  /** Ready without asking the kernel. */
  held(): boolean;
}

function sourceOf(object: unknown): Source {
  if (object instanceof Connection) {
    const channel = Connection.channelOf(object as Connection<never, unknown>);
    return { fd: channel.fd, channel, held: () => channel.receiver.ready };
  }
  const isProcess = typeof object === 'object' && object !== null && 'sentinel' in object;
  const fd = isProcess ? object.sentinel : object;
  if (typeof fd !== 'number') {
    throw argumentError('type', 'objects must hold Connections, processes and descriptor numbers');
  }
  checkDescriptor(fd, 'objects');
  const status = native.describe(fd, new Int32Array(5));
  if (status < 0) throw systemError(status, 'fstat', `descriptor ${fd}`);
  return { fd, channel: undefined, held: () => false };
}

/** Which of the sources are ready at this moment. */
function readyNow(sources: readonly Source[]): boolean[] {
  const triples = new Int32Array(sources.flatMap(({ fd }) => [fd, READ, 0]));
  const count = sources.length > 0 ? native.poll(triples, 0) : 0;
  return sources.map((source, i) => source.held() || (count > 0 && triples[3 * i + 2] !== 0));
}

function select<T>(objects: readonly T[], ready: readonly boolean[]): T[] {
  return objects.filter((_, i) => ready[i]);
}

/** A descriptor that is not a channel's, watched for one wait. */
class WatchedDescriptor implements Pollable {
  readonly id: number;
  readonly #callback: () => void;

  constructor(fd: number, callback: () => void) {
    this.#callback = callback;
    this.id = native.watch(fd);
    if (this.id < 0) throw systemError(this.id, 'fcntl', `descriptor ${fd}`);
    const failure = arm(this, READ);
    if (failure === undefined) return;
    this.release();
    throw failure;
  }

  onReady(): void {
    this.#callback();
  }

  release(): void {
    arm(this, 0);
    native.release(this.id);
  }
}

/** Waits on validated objects. Resolves to those that are ready, or to none at the end of the time. */
export async function waitForConnections<T extends Waitable>(objects: readonly T[], limits: Limits): Promise<T[]> {
  ensureStarted();
  if (!takeTurn()) await nextTurn();
  throwIfAborted(limits);
  const sources = objects.map(sourceOf);
  const ready = readyNow(sources);
  if (ready.includes(true) || limits.timeout <= 0) return select(objects, ready);
  const isOn = (object: Waitable): boolean => !(object instanceof Connection) || Connection.holdOf(object).on;
  const on = objects.length === 0 || objects.some(isOn);
  return new Promise((resolve, reject) => {
    const hold = new KeepAlive();
    hold.on = on;
    hold.begin();
    const releases: (() => void)[] = [];
    let settled = false;
    const finish = (settle: () => void): void => {
      settled = true;
      cancel();
      for (const release of releases) release();
      hold.end();
      settle();
    };
    const look = (): void => {
      if (settled) return;
      // A Connection that was closed meanwhile is an error, as it would have been at the start.
      try {
        const now = readyNow(objects.map(sourceOf));
        if (now.includes(true)) {
          finish(() => {
            resolve(select(objects, now));
          });
        } else {
          watchAgain();
        }
      } catch (error) {
        finish(() => {
          reject(error);
        });
      }
    };
    const cancel = startLimits(
      limits,
      on,
      () => new TimeoutError('wait'),
      (error) => {
        finish(() => {
          if (error instanceof TimeoutError) resolve([]);
          else reject(error);
        });
      },
    );
    const watchAgain = (): void => {
      for (const release of releases.splice(0)) release();
      for (const { fd, channel } of sources) {
        if (channel !== undefined) {
          releases.push(channel.onceReadable(look));
        } else {
          const watched = new WatchedDescriptor(fd, look);
          releases.push(() => {
            watched.release();
          });
        }
      }
    };
    try {
      watchAgain();
    } catch (error) {
      finish(() => {
        reject(error);
      });
    }
  });
}

/** The blocking form of waitForConnections. */
export function waitForConnectionsSync<T extends Waitable>(objects: readonly T[], timeout: number): T[] {
  ensureStarted();
  const deadline = deadlineAfter(timeout);
  const sources = objects.map(sourceOf);
  flushUnwritten();
  for (;;) {
    const ready = readyNow(sources);
    if (ready.includes(true)) return select(objects, ready);
    const { expired } = blockOn(
      sources.map(({ fd }) => fd),
      deadline,
      'wait',
    );
    if (expired) return [];
  }
}

function checkObjects(objects: unknown): asserts objects is readonly Waitable[] {
  if (!Array.isArray(objects)) throw argumentError('type', 'objects must be an array');
}

/**
 * Waits until at least one of several objects is ready to be received from. CPython: `multiprocessing.connection.wait`.
 *
 * @param objects Connections that receive, processes, and numbers of open descriptors.
 * @param timeout Milliseconds, or options; without it the wait has no end.
 * @returns Those that are ready, an end of data included; none when the time is up. Rejects with `ClosedError`,
 *   `NotReadable`, `NotSupported` for a process that was not started, an AbortError, or a system error (EBADF).
 */
export async function wait<T extends Waitable>(
  objects: readonly T[],
  timeout?: number | null | WaitOptions,
): Promise<T[]> {
  checkObjects(objects);
  const options = typeof timeout === 'object' && timeout !== null ? timeout : { timeout };
  return waitForConnections(objects, checkLimits(options));
}

/** As `wait`, blocking. */
export function waitSync<T extends Waitable>(objects: readonly T[], timeout?: number | null): T[] {
  checkObjects(objects);
  return waitForConnectionsSync(objects, checkTimeout(timeout));
}
