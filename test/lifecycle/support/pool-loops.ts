// SPDX-License-Identifier: MIT
//
// Workers that are killed, stopped and that end by themselves, at random moments under load.
import { expect } from 'chai';
import { PoolClosed, WorkerDied } from 'node-multiprocessing';

import { within } from '../../helpers/index.js';
import { Random } from '../../helpers/random.js';
import type { AnyPool, Kind } from './pools.js';

const CONCURRENT = 8;

/** What has happened to the tasks. */
interface Tally {
  settled: number;
  results: number;
  killed: number;
  exited: number;
}

/** Runs tasks until this many workers have been harmed. Asserts of each task that it settles once, and as it should. */
export async function harmWorkers(kind: Kind, seed: number, harms: number, retries: number): Promise<Tally> {
  const random = new Random(seed);
  const pool = kind.make('take', { processes: 3, retries });
  const killed = new Set<number>();
  const tally: Tally = { settled: 0, results: 0, killed: 0, exited: 0 };
  let harmed = 0;
  let submitted = 0;
  await pool.ready();
  const worker = async (): Promise<void> => {
    while (harmed < harms) {
      submitted++;
      await runOne(kind, pool, random, retries, killed, tally);
      if (random.below(3) === 0 && harm(pool, random, killed)) harmed++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
  expect(tally.settled).to.equal(submitted);
  // The pool has lived through it.
  await within(60_000, pool.ready(), 'the replacement of the workers');
  expect(await pool.apply([1, 'alive'])).to.equal('alive');
  await pool.close();
  return tally;
}

async function runOne(
  kind: Kind,
  pool: AnyPool,
  random: Random,
  retries: number,
  killed: ReadonlySet<number>,
  tally: Tally,
): Promise<void> {
  const value = random.below(1e6);
  const large = random.below(10) === 0 ? 'x'.repeat(200_000) : '';
  const exits = random.below(12) === 0;
  const ms = 1 + random.below(50);
  const call = exits ? pool.apply([7], { target: kind.target('exit_with') }) : pool.apply([ms, [value, large]]);
  let count = 0;
  const settled = (): void => {
    count++;
    tally.settled++;
  };
  call.then(settled, settled);
  try {
    const result = (await within(180_000, call, `task of seed ${random.seed}`)) as unknown[];
    expect(exits).to.equal(false);
    expect(result).to.deep.equal([value, large]);
    tally.results++;
  } catch (error) {
    if (!(error instanceof WorkerDied)) throw error;
    expect(error.attempt).to.equal(retries + 1);
    if (error.signal === null) {
      // The blame is with the task that has ended its worker.
      expect(exits).to.equal(true);
      expect(error.exitCode).to.equal(7);
      tally.exited++;
    } else {
      expect(error.signal).to.equal('SIGKILL');
      expect(killed.has(error.pid)).to.equal(true);
      tally.killed++;
    }
  }
  expect(count).to.equal(1);
}

/** Kills a worker, or stops it and lets it continue. */
function harm(pool: AnyPool, random: Random, killed: Set<number>): boolean {
  const workers = pool.stats().workers.filter(({ state }) => state === 'busy' || state === 'idle');
  if (workers.length === 0) return false;
  const { pid } = random.pick(workers);
  if (random.below(3) > 0) {
    killed.add(pid);
    return sendSignal(pid, 'SIGKILL');
  }
  setTimeout(() => sendSignal(pid, 'SIGCONT'), random.below(20));
  return sendSignal(pid, 'SIGSTOP');
}

/** Returns false for a worker that has ended and was reaped, which the pool learns in this turn of the event loop. */
function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Closes and terminates pools in the middle of their work. Every call settles. */
export async function endInTheMiddle(kind: Kind, seed: number): Promise<void> {
  const random = new Random(seed);
  const pool = kind.make('echo', { processes: 2 });
  if (random.below(2) === 0) await pool.ready();
  const calls = Array.from({ length: 20 }, (_, i) => pool.apply([i]));
  const batch = pool.map([...Array(50).keys()], { chunksize: 3 });
  const outcomes = Promise.allSettled([...calls, batch]);
  await Promise.race(calls.slice(0, 1 + random.below(5))).catch(() => undefined);
  const ends = [() => pool.close(), () => pool.terminate(), () => pool.close({ grace: random.below(20) })];
  await random.pick(ends)();
  for (const outcome of await within(60_000, outcomes, `the calls of seed ${seed}`)) {
    if (outcome.status === 'rejected') expect(outcome.reason).to.be.instanceOf(PoolClosed);
  }
  expect(pool.stats()).to.include({ queued: 0, running: 0 });
  expect(pool.stats().workers).to.deep.equal([]);
}
