// SPDX-License-Identifier: MIT
//
// Waiting until no item of a queue with leases is unfinished.
import { deadlineAfter, millisecondsLeft, type Limits } from '../core/deadline.js';
import { TimeoutError } from '../core/errors.js';
import { queueError } from '../core/status-errors.js';
import { UnfinishedItemsError } from '../core/lease-errors.js';
import type { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { flushUnwritten } from '../event-loop/sync-wait.js';
import { native } from '../native/addon.js';
import type { LeaseTransport } from './lease-transport.js';

const codes = native.status;

/** Whether no item is unfinished. */
function isFinished(transport: LeaseTransport): boolean {
  const { end } = transport;
  const status = transport.finished();
  if (status === 0) return true;
  if (end !== undefined) throw end;
  if (status !== codes.again && status !== codes.busy) throw queueError(status, 'read');
  return false;
}

function timedOut(transport: LeaseTransport, operation: string): TimeoutError {
  const unfinished = transport.report();
  return unfinished === undefined ? new TimeoutError(operation) : new UnfinishedItemsError(operation, unfinished);
}

/** @param checkOpen Throws once the queue is closed. */
export async function joinLeases(
  transport: LeaseTransport,
  { timeout, signal }: Limits,
  keepAlive: KeepAlive,
  checkOpen: () => void,
): Promise<void> {
  const deadline = deadlineAfter(timeout);
  while (!isFinished(transport)) {
    const left = millisecondsLeft(deadline);
    if (left === 0) throw timedOut(transport, 'join');
    const call = new PendingCall<void>(keepAlive);
    call.attempt(() => {
      call.onEnd = transport.onceIdle(() => call.resolve());
    });
    call.limit(
      { timeout: left, signal },
      () => new TimeoutError('join'),
      (error) => {
        // The report is made with the last look.
        if (error instanceof TimeoutError) call.resolve();
      },
    );
    await call.promise;
    checkOpen();
  }
}

/** As `joinLeases`, blocking. */
export function joinLeasesSync(transport: LeaseTransport, deadline: number): void {
  flushUnwritten();
  while (!isFinished(transport)) {
    if (transport.blockUntilIdle(deadline, 'joinSync')) continue;
    const error = timedOut(transport, 'joinSync');
    transport.forgetIdle();
    throw error;
  }
}
