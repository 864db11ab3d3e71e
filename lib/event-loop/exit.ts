// SPDX-License-Identifier: MIT
//
// What has been sent but not written when the process ends. A pending write keeps the event loop alive, so this concerns
// process.exit(), an uncaught error, and Connections that were unref'd.
import { writeSync } from 'node:fs';

import { deadlineAfter } from '../core/deadline.js';
import { native } from '../native/addon.js';
import { writeQueuesAtExit } from '../queues/exit.js';
import { unwritten, writeAtExit } from './sync-wait.js';
import { endDaemons } from '../process/running-child.js';

/** How long the end of the process may be held up by peers that do not read. */
export const DEFAULT_EXIT_FLUSH_MS = 5000;

let registered = false;
let exitFlushMs = 0;

/** Registers the exit handler, once per environment. The longest limit of all connections counts. */
export function flushAtExit(limitMs: number): void {
  exitFlushMs = Math.max(exitFlushMs, limitMs);
  if (registered) return;
  registered = true;
  process.on('exit', onExit);
}

function onExit(): void {
  const deadline = deadlineAfter(exitFlushMs);
  writeAtExit(exitFlushMs);
  if (unwritten.size > 0) warn();
  const lost = writeQueuesAtExit(deadline);
  if (lost.items > 0) say(`${lost.items} items (${lost.bytes} bytes) put on queues were not got`);
  if (!native.isMainThread) return;
  endDaemons();
  native.cancelBlockedCalls();
}

function warn(): void {
  let bytes = 0;
  for (const writer of unwritten) bytes += native.inspect(writer.id).pending;
  say(`${bytes} bytes sent on ${unwritten.size} connection(s) were not read`);
}

/** The process is past the point where a warning could be emitted as an event. */
function say(what: string): void {
  const limit = `within ${exitFlushMs} ms of the end of the process`;
  writeSync(2, `(node:${process.pid}) Warning: ${what} ${limit} and are lost\n`);
}
