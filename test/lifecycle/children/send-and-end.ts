// SPDX-License-Identifier: MIT
//
// send-and-end <ending> <count> <size> <exitFlushMs> [worker]: sends messages on descriptor 3 without awaiting any, and
// ends. With "worker", a worker does so, and ends.
import { isMainThread, Worker } from 'node:worker_threads';

import { Connection } from 'node-multiprocessing';

import { numbered } from '../support/numbered-messages.js';

function sendAndEnd(): void {
  const [ending, count, size, exitFlushMs] = process.argv.slice(2);
  const connection = Connection.fromFd(3, { exitFlushMs: Number(exitFlushMs) });
  for (let i = 0; i < Number(count); i++) connection.sendBytes(numbered(i, Number(size))).catch(() => undefined);
  const start = performance.now();
  process.on('exit', () => {
    // Runs after the package's own exit handler, which the first Connection registered.
    if (isMainThread) process.stdout.write(`${performance.now() - start}\n`);
  });
  if (ending === 'exit') process.exit(0);
  if (ending === 'throw') throw new Error('thrown on purpose');
}

if (isMainThread && process.argv[6] === 'worker') {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  // An error that a worker throws must not end its parent.
  worker.on('error', () => undefined);
} else {
  sendAndEnd();
}
