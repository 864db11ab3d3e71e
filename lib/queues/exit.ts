// SPDX-License-Identifier: MIT
//
// The end of a process that has put items on queues which have not been written yet. Their threads go on by themselves for
// as long as the process lives, so all there is to do is to wait for them.

import { request, requestSync } from '../event-loop/completions.js';
import { millisecondsLeft } from '../core/deadline.js';
import { perEnvironment } from '../core/per-environment.js';
import { InterruptedError, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { atExit, type Warn } from '../event-loop/exit.js';
import { KeepAlive } from '../event-loop/keep-alive.js';

const queues = native.queues;

/** When a natural end that waits says why. */
const WARNING_MS = 5000;

/** How long an item that is half written is waited for at an end that waits for nothing else. */
const HALF_WRITTEN_MS = 200;

const whenIdle = {
  start: (number: number) => queues.notifyWhenIdle(number),
  cancel: () => undefined,
  error: (status: number) => systemError(status, 'write'),
};

const state = perEnvironment('queues/exit', () => ({ registered: false }));

/** Makes the end of the process wait for what was put. */
export function waitForFeedersAtExit(): void {
  if (state.registered) return;
  state.registered = true;
  atExit('queues', writeQueuesAtExit);
  if (native.isMainThread) process.on('beforeExit', waitForFeeders);
}

/** A natural end of the process waits for as long as it takes. */
function waitForFeeders(): void {
  const [, items] = queues.processWaiting();
  if (items === 0) return;
  // This process does not read any more. If no other process does either, the feeder threads learn of it now.
  queues.cutReaders();
  const keepAlive = new KeepAlive();
  keepAlive.begin();
  const warning = setTimeout(warnOfWait, WARNING_MS).unref();
  request(whenIdle, () => {
    clearTimeout(warning);
    keepAlive.end();
  });
}

function warnOfWait(): void {
  const [count, items, bytes, name] = queues.processWaiting();
  process.emitWarning(
    `The process has ended but for ${items} items (${bytes} bytes) put on ${count} queue(s), of which one has the lock ` +
      `${name}: it waits until they are got. cancelJoinThread() lets it end without them`,
  );
}

/** Waits until everything was written, or until the deadline. */
function writeQueuesAtExit(deadline: number, warn: Warn): void {
  // Other readers could not go on behind an item of which this process has read a part.
  queues.finish(millisecondsLeft(deadline));
  if (!native.isMainThread) return;
  if (queues.processWaiting()[1] > 0) {
    queues.cutReaders();
    waitUntilIdle(deadline);
  }
  const [, items, bytes] = queues.processWaiting();
  stopFeeders();
  if (items > 0) warn(`${items} items (${bytes} bytes) put on queues were not got`);
}

function waitUntilIdle(deadline: number): void {
  while (millisecondsLeft(deadline) > 0) {
    try {
      requestSync(whenIdle, deadline, 'exit');
      return;
    } catch (error) {
      // A signal does not end the wait, since its listener cannot run any more.
      if (!(error instanceof InterruptedError)) return;
    }
  }
}

/** Nobody could read on behind an item that is cut off, so the rest of one that was begun is given a moment. */
function stopFeeders(): void {
  const until = performance.now() + HALF_WRITTEN_MS;
  while (queues.stopFeeders() === 0 && performance.now() < until) {
    native.poll(new Int32Array(0), 1);
  }
}
