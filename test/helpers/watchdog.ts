// SPDX-License-Identifier: MIT
//
// A watchdog for tests that block the thread. Mocha's timeouts are timers and never fire while a Sync call hangs. A
// worker thread looks at the clock instead; it names the test and ends the whole run.
import { Worker } from 'node:worker_threads';

const TITLE_BYTES = 1024;

const PROGRAM = `
const { writeSync } = require('node:fs');
const { workerData: { state, title, limitMs } } = require('node:worker_threads');
let seen = -1;
let since = Date.now();
for (;;) {
  Atomics.wait(state, 1, 0, 1000);
  if (Atomics.load(state, 0) !== seen) {
    seen = Atomics.load(state, 0);
    since = Date.now();
  } else if (seen % 2 === 1 && Date.now() - since > limitMs) {
    const text = Buffer.from(title).toString().split('\\0')[0];
    writeSync(2, 'The test run hangs, and is killed, in: ' + text + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}`;

// The first number is odd while a test runs, and changes with every test.
const state = new Int32Array(new SharedArrayBuffer(8));
const title = new Uint8Array(new SharedArrayBuffer(TITLE_BYTES));

/** Starts the watchdog. It does not keep the process alive. */
export async function startWatchdog(limitMs: number): Promise<void> {
  const worker = new Worker(PROGRAM, { eval: true, workerData: { state, title, limitMs } });
  await new Promise((resolve) => worker.once('online', resolve));
  worker.unref();
}

/** Tells the watchdog that a test begins. */
export function testBegins(name: string): void {
  title.fill(0);
  title.set(Buffer.from(name).subarray(0, TITLE_BYTES - 1));
  Atomics.add(state, 0, 1);
}

/** Tells the watchdog that the test has ended. */
export function testEnds(): void {
  Atomics.add(state, 0, 1);
}
