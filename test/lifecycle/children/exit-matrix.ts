// SPDX-License-Identifier: MIT
//
// exit-matrix <state> <ending>: brings a Connection on descriptor 3 into a state, prints "ready", and ends. With the ending
// "terminate", a worker has the Connection and is terminated.
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

import { Connection } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { numbered } from '../support/numbered-messages.js';

const [state, ending] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Prints how a pending call ended. Prints nothing if the process ends first. */
function settled(promise: Promise<unknown>): void {
  promise.then(
    () => {
      say('resolved');
    },
    (error: unknown) => {
      say(`rejected ${(error as { code: string }).code}`);
    },
  );
}

async function enter(): Promise<void> {
  const connection = Connection.fromFd<never, never>(3, { exitFlushMs: 60_000 });
  if (state === 'receiving') settled(connection.recvBytes());
  if (state === 'sending' || state === 'closing') settled(connection.sendBytes(numbered(0, 1024 * 1024)));
  if (state === 'closing') connection.close();
  await turns();
}

async function end(): Promise<void> {
  say('ready');
  switch (ending) {
    case 'exit':
      process.exit(0);
      break;
    case 'throw':
      throw new Error('thrown on purpose');
    case 'SIGTERM':
      process.kill(process.pid, 'SIGTERM');
      // The signal ends this process. It must not end by itself before.
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      break;
    default:
  }
}

if (!isMainThread) {
  await enter();
  parentPort?.postMessage('entered');
} else if (ending === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  // A worker without anything to wait for would end by itself, and could not be terminated.
  await new Promise((resolve) => worker.once('message', resolve));
  say('ready');
  await worker.terminate();
} else {
  await enter();
  await end();
}
