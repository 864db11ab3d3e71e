// SPDX-License-Identifier: MIT
import { limitsFrom, type WaitOptions } from '../core/deadline.js';
import { argumentError } from '../core/errors.js';
import { checkDescriptor, checkTimeout } from '../core/validate.js';
import { inTurn, operations } from '../event-loop/fair-calls.js';
import { Connection } from './connection.js';
import { channelSource, descriptorSource, waitForSources, waitForSourcesSync, type Source } from './wait-sources.js';

/**
 * An object that `wait` accepts: a Connection that receives, a process (ready when it has ended), or the number of any
 * open descriptor.
 */
export type Waitable = Connection<never, unknown> | Ending | number;

/** A process of any kind. */
export interface Ending {
  /** A descriptor that is readable once the process has ended. */
  readonly sentinel: number;
}

function sourceOf(object: unknown): Source {
  if (object instanceof Connection) return channelSource(Connection.channelOf(object as Connection<never, unknown>));
  const isProcess = typeof object === 'object' && object !== null && 'sentinel' in object;
  const fd = isProcess ? object.sentinel : object;
  if (typeof fd !== 'number') {
    throw argumentError('type', 'objects must only contain Connections, processes and descriptor numbers');
  }
  checkDescriptor(fd, 'objects');
  return descriptorSource(fd);
}

/** Whether a wait for an object keeps the process alive. */
function keepsAlive(object: Waitable): boolean {
  return !(object instanceof Connection) || Connection.keepAliveOf(object).on;
}

function checkObjects(objects: unknown): asserts objects is readonly Waitable[] {
  if (!Array.isArray(objects)) throw argumentError('type', 'objects must be an array');
}

/**
 * Waits until at least one of several objects is ready to be received from. CPython: `multiprocessing.connection.wait`.
 *
 * Rejects with `ClosedError`, `NotReadable`, `NotSupported` for a process that was not started, an AbortError, or a
 * system error (EBADF).
 *
 * @param objects Connections that receive, processes, and numbers of open descriptors.
 * @param timeout A timeout in milliseconds, or options. Omitted or null: no limit.
 * @returns The objects that are ready, including those at the end of data; none when the time is up.
 */
export async function wait<T extends Waitable>(
  objects: readonly T[],
  timeout?: number | null | WaitOptions,
): Promise<T[]> {
  const before = operations();
  return await inTurn(readyOf(objects, timeout), before);
}

async function readyOf<T extends Waitable>(
  objects: readonly T[],
  timeout: number | null | WaitOptions | undefined,
): Promise<T[]> {
  checkObjects(objects);
  const limits = limitsFrom(timeout);
  const keepAlive = objects.length === 0 || objects.some(keepsAlive);
  const ready = await waitForSources(() => objects.map(sourceOf), limits, keepAlive);
  return objects.filter((_, i) => ready[i]);
}

/** As `wait`, blocking. */
export function waitSync<T extends Waitable>(objects: readonly T[], timeout?: number | null): T[] {
  checkObjects(objects);
  const limit = checkTimeout(timeout);
  const ready = waitForSourcesSync(objects.map(sourceOf), limit);
  return objects.filter((_, i) => ready[i]);
}
