// SPDX-License-Identifier: MIT
//
// The cost of locks: `locks.js uncontended|sync|async <warm-up ms> <measured ms>`.
//
// `uncontended` acquires and releases one lock. The other modes hand a turn back and forth between two processes over
// two locks, so that every acquire has to wait for the other process' release. One operation is one hand-over, half a
// round.
import { fork } from 'node:child_process';
import { once } from 'node:events';

import * as mp from 'node-multiprocessing';

import type { TrialOutput } from '../job.js';
import { compiledModule } from '../paths.js';
import { takeTurns } from '../peers/lock-turns.js';
import { report, sample, timesFrom } from '../sampling.js';

const [mode = '', warmUpText, measuredText] = process.argv.slice(2);
const times = timesFrom(warmUpText, measuredText);

async function uncontended(): Promise<TrialOutput> {
  using lock = new mp.Lock();
  return await sample(times, 10_000, (count) => {
    for (let i = 0; i < count; i++) {
      lock.acquireSync();
      lock.release();
    }
  });
}

async function handOver(how: 'sync' | 'async'): Promise<TrialOutput> {
  using ours = new mp.Lock();
  using theirs = new mp.Lock();
  // In the beginning it is the other process' turn.
  ours.acquireSync();
  theirs.acquireSync();
  const child = fork(compiledModule('peers/lock-child'), [how]);
  child.send([mp.describe(theirs, { nodeOnly: true }), mp.describe(ours, { nodeOnly: true })]);
  await once(child, 'message');
  const turns = (count: number): unknown => takeTurns(how, count, () => theirs.release(), ours);
  const output = await sample(times, 200, turns, { operations: 2 });
  child.kill();
  await once(child, 'exit');
  return output;
}

report(mode === 'uncontended' ? await uncontended() : await handOver(mode as 'sync' | 'async'));
