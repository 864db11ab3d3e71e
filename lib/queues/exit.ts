// SPDX-License-Identifier: MIT
//
// The end of a process that has put items which are not written yet. The feeder threads go on by themselves as long as
// the process lives, so the process only has to wait for them.

import { request, requestSync } from '../event-loop/completions.js';
import { millisecondsLeft } from '../core/deadline.js';
import { perEnvironment } from '../core/per-environment.js';
import { InterruptedError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { atExit, type Warn } from '../event-loop/exit.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { feeders } from './pipe-transport.js';

/** How long a natural end waits before a warning gives the reason, in milliseconds. */
const WARNING_MS = 5000;

/** How long the end of the process waits for a half-written item when it waits for nothing else, in milliseconds. */
const HALF_WRITTEN_MS = 200;

const state = perEnvironment('queues/exit', () => ({ registered: false }));

/** Makes the end of the process wait until the items are written. */
export function waitForFeedersAtExit(): void {
  if (state.registered) return;
  state.registered = true;
  atExit('queues', writeQueuesAtExit);
  if (native.isMainThread) process.on('beforeExit', waitForFeeders);
}

/** Keeps a natural end of the process waiting for as long as it takes. */
function waitForFeeders(): void {
  const [, items] = feeders.waiting();
  if (items === 0) return;
  // This process no longer reads. If no other process does either, the feeder threads fail with EPIPE now.
  feeders.cutReaders();
  const keepAlive = new KeepAlive();
  keepAlive.begin();
  const warning = setTimeout(warnOfWait, WARNING_MS).unref();
  request(feeders.whenIdle, () => {
    clearTimeout(warning);
    keepAlive.end();
  });
}

function warnOfWait(): void {
  const [count, items, bytes, name] = feeders.waiting();
  process.emitWarning(
    `The process waits to end until ${items} items (${bytes} bytes) on ${count} queue(s) are written, which ` +
      `needs other processes to get items. One of the queues has the lock ${name}. cancelJoinThread() drops the items`,
  );
}

/** Waits until all items are written, or until the deadline. */
function writeQueuesAtExit(deadline: number, warn: Warn): void {
  // Finishes an item that this process has read in part: other readers could not continue behind it.
  feeders.finishReading(millisecondsLeft(deadline));
  if (!native.isMainThread) return;
  if (feeders.waiting()[1] > 0) {
    feeders.cutReaders();
    waitUntilIdle(deadline);
  }
  const [, items, bytes] = feeders.waiting();
  stopFeeders();
  if (items > 0) warn(`${items} items (${bytes} bytes) put on queues were not written`);
}

function waitUntilIdle(deadline: number): void {
  while (millisecondsLeft(deadline) > 0) {
    try {
      requestSync(feeders.whenIdle, deadline, 'exit');
      return;
    } catch (error) {
      // A signal does not end the wait, since its listener cannot run any more.
      if (!(error instanceof InterruptedError)) return;
    }
  }
}

/**
 * Stops the feeder threads. An item that is half written gets a moment, since no reader could continue behind one that
 * is cut off.
 */
function stopFeeders(): void {
  const until = performance.now() + HALF_WRITTEN_MS;
  while (!feeders.stop() && performance.now() < until) {
    native.poll(new Int32Array(0), 1);
  }
}
