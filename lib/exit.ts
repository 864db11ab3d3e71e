// SPDX-License-Identifier: MIT
//
// What has been sent but not written when the process ends. A pending write keeps the event loop alive, so this concerns
// process.exit(), an uncaught error, and Connections that were unref'd.
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

import { native } from './native.js';
import { unwritten, writeAtExit } from './reactor.js';

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
  writeAtExit(exitFlushMs);
  if (unwritten.size > 0) warn();
  if (isMainThread) native.cancelBlockedCalls();
}

/** The process is past the point where a warning could be emitted as an event. */
function warn(): void {
  let bytes = 0;
  for (const writer of unwritten) bytes += native.inspect(writer.id).pending;
  writeSync(
    2,
    `(node:${process.pid}) Warning: ${bytes} bytes sent on ${unwritten.size} connection(s) were not read within ` +
      `${exitFlushMs} ms of the end of the process and are lost\n`,
  );
}
