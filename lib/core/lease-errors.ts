// SPDX-License-Identifier: MIT
//
// The errors of queues with leases.
import { constants } from 'node:os';

import { NotSupported, systemError, TaskDoneError, TimeoutError } from './errors.js';

/** A consumer that has items of a queue with leases. */
export interface LeaseHolder {
  /** Its host, for a queue over Redis. */
  readonly host?: string;
  /** Its process. */
  readonly pid: number;
  /** Its thread: `threadId` of `node:worker_threads`, 0 for the main thread. */
  readonly thread: number;
  /** How many items it has. */
  readonly count: number;
  /**
   * For how many milliseconds it has had the oldest of them; of a queue over Redis, for how long it has not renewed the oldest
   * lease.
   */
  readonly ms: number;
}

/** What is unfinished on a queue with leases. */
export interface Unfinished {
  /** The consumers that have items which they have not finished. */
  readonly holders: readonly LeaseHolder[];
  /** How many items no consumer has. */
  readonly waiting: number;
}

/** The `TimeoutError` of `join` on a queue with leases, which says what is unfinished. */
export class UnfinishedItemsError extends TimeoutError {
  static override readonly name = 'TimeoutError';
  /** The consumers that have items which they have not finished. */
  readonly holders: readonly LeaseHolder[];
  /** How many items no consumer has. */
  readonly waiting: number;
  /** @internal */
  constructor(operation: string, { holders, waiting }: Unfinished) {
    super(
      operation,
      false,
      `: ${[...holders.map(describeHolder), `${waiting} item(s) wait for a consumer`].join('; ')}`,
    );
    this.holders = holders;
    this.waiting = waiting;
  }
}

function describeHolder({ host, pid, thread, count, ms }: LeaseHolder): string {
  return `process ${pid}${host === undefined ? '' : ` on ${host}`} (thread ${thread}) has ${count} item(s), the oldest for ${ms} ms`;
}

/** The error for a lease that this consumer does not have (any more). */
export function notLeased(): TaskDoneError {
  return new TaskDoneError('This consumer has no such item: its lease has ended, or it has taken none');
}

/** The error for a block of shared memory that cannot be made. */
export function leaseBlockError(status: number, bytes: number): Error {
  // A filter of system calls may answer with either.
  if (status === -constants.errno.ENOSYS || status === -constants.errno.EPERM) {
    return new NotSupported('This system has no shared memory that leases can use: it refuses memfd_create');
  }
  return systemError(status, 'memfd_create', `leaseBytes is ${bytes}: give less, or close other queues with leases`);
}
