// SPDX-License-Identifier: MIT
//
// sync-call <call> <place> <listener...>: makes a Sync call on descriptor 3, in the main thread or in a worker, and
// prints as JSON how it ends. After an InterruptedError it makes the call again. Listens for the named signals.
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';

import { Connection, waitSync } from 'node-multiprocessing';

import type { AnyConnection } from '../../helpers/channels.js';
import { turns } from '../../helpers/assertions.js';
import { numbered } from '../support/numbered-messages.js';

const [callName, place, ...listeners] = process.argv.slice(2);

function say(what: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}

/** Made by the thread that makes the call, since a descriptor has one owner. */
let connection: AnyConnection;

const calls: Record<string, (round: number) => unknown> = {
  recvSync: () => (connection.recvSync() as Buffer).length,
  recvBytesSync: () => connection.recvBytesSync().length,
  recvBytesIntoSync: () => connection.recvBytesIntoSync(Buffer.alloc(1024 * 1024)),
  pollSync: () => connection.pollSync(null),
  waitSync: () => waitSync([connection]).length,
  recvHandleSync() {
    const fd = connection.recvHandleSync();
    const isFile = fstatSync(fd).isFile();
    closeSync(fd);
    return isFile;
  },
  sendSync(round) {
    connection.sendSync(numbered(round, 1024 * 1024));
    return 'sent';
  },
  sendBytesSync(round) {
    connection.sendBytesSync(numbered(round, 1024 * 1024));
    return 'sent';
  },
  sendHandleSync(round) {
    if (round === 0) connection.sendBytes(numbered(0, 1024 * 1024)).catch(() => undefined);
    connection.sendHandleSync(0);
    return 'sent';
  },
};

function work(): void {
  connection = Connection.fromFd(3);
  const call = calls[callName as string] as (round: number) => unknown;
  for (let round = 0; ; round++) {
    try {
      say({ calling: round });
      say({ result: call(round) });
      return;
    } catch (error) {
      const { name, code, begun } = error as { name: string; code: string; begun?: boolean };
      say({ name, code, ...(begun === undefined ? {} : { begun }) });
      if (code !== 'ERR_MP_INTERRUPTED') return;
    }
  }
}

async function workInPlace(): Promise<void> {
  const heard: string[] = [];
  for (const name of listeners) process.on(name, (signal: string) => heard.push(signal));
  if (place === 'worker') {
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
    await new Promise((resolve) => worker.once('exit', resolve));
  } else if (place === 'children') {
    // SIGCHLD reports their ends. The event loop needs it, and a blocked call must not notice it.
    const children = Array.from({ length: 5 }, () => spawn('true', { stdio: 'ignore' }));
    const ended = Promise.all(children.map((process) => new Promise((resolve) => process.once('exit', resolve))));
    work();
    await ended;
  } else {
    work();
  }
  // A listener runs once the event loop gets its turn.
  await turns();
  say({ heard: [...new Set(heard)] });
}

if (isMainThread) await workInPlace();
else work();
