// SPDX-License-Identifier: MIT
//
// Hooks around every test of the run. They register themselves in mocha's root suite when the first test file imports
// the helpers.
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

import { activeChildren, Lock, Pipe } from 'node-multiprocessing';

import { closeTracked } from './channels.js';
import { printCoverage } from './coverage.js';
import { printObjectCoverage } from './object-coverage.js';
import { closeTrackedFds } from './descriptors.js';
import { holdings, settle, type Holdings } from './leaks.js';
import { endPeers, nodePeer, spawnPeer } from './peers.js';
import { startWatchdog, testBegins, testEnds } from './watchdog.js';

const SETTLE_MS = 10_000;

/** Mocha gives no test more time than this, so only a blocked thread gets here. */
const HANG_MS = 180_000;

/**
 * Makes what Node and the package make once and keep: the threads of libuv's pool, the pipe that reports ended
 * children, the poller's descriptors, the family's register. They must exist before the first comparison.
 */
async function warmUp(): Promise<void> {
  await startWatchdog(HANG_MS);
  const poolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  await Promise.all(Array.from({ length: 4 * poolSize }, () => stat('/')));
  const worker = new Worker('', { eval: true });
  await new Promise((resolve) => worker.once('exit', resolve));
  await spawnPeer({ ...nodePeer(''), args: ['-e', '0'] }).exit;
  const [reader, writer] = Pipe(false);
  const received = reader.recv();
  await writer.send(0);
  await received;
  reader.close();
  writer.close();
  // Makes the family of this process, and the thread that waits for semaphores.
  const lock = new Lock();
  await lock.acquire();
  const again = lock.acquire();
  lock.release();
  await again;
  lock.close();
}

let before: Holdings;

// A hook that throws would end the whole run. Every test is to be judged, so findings are reported at the end.
const problems: string[] = [];

/** Ends the processes that a test has started and not joined. */
async function endProcesses(): Promise<void> {
  for (const child of activeChildren()) {
    child.kill();
    await child.join().catch(() => undefined);
  }
}

async function check(title: string): Promise<void> {
  await endProcesses();
  for (const failure of await endPeers()) problems.push(`${title}: ${failure.message}`);
  closeTracked();
  closeTrackedFds();
  const left = await settle(before, SETTLE_MS);
  if (left.length > 0) problems.push(`${title} leaks:\n  ${left.join('\n  ')}`);
}

function register(): void {
  global.before(warmUp);

  beforeEach(function () {
    testBegins(this.currentTest?.fullTitle() ?? '');
    before = holdings();
  });

  afterEach(async function () {
    testEnds();
    await check(this.currentTest?.fullTitle() ?? 'A test');
  });

  after('no test leaves anything behind', () => {
    if (problems.length > 0) throw new Error(problems.join('\n'));
  });

  after('everything ran', printCoverage);
  after('every object was shared', printObjectCoverage);
}

// Peers import single helpers too, without mocha.
if (typeof beforeEach === 'function') register();
