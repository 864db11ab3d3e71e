// SPDX-License-Identifier: MIT
//
// Workers that are killed, stopped and that end by themselves, at random moments under load.
import { expect } from 'chai';
import { PoolClosed, WorkerDied } from 'node-multiprocessing';

import { within } from '../../helpers/index.js';
import { Random } from '../../helpers/random.js';
import type { AnyPool, Kind } from './pools.js';

const CONCURRENT = 8;

/** The items of a `map`, which are quick, so that workers get chunks ahead. */
const ITEMS = 24;

/** What has happened to the tasks, and to the workers. */
interface Tally {
  settled: number;
  results: number;
  killed: number;
  exited: number;
  stopped: number;
  /** Milliseconds from the end of a worker, as the pool told it, until a new one was ready. */
  readonly replaced: number[];
}

/** Harms the workers of one pool. */
class Harm {
  readonly tally: Tally = { settled: 0, results: 0, killed: 0, exited: 0, stopped: 0, replaced: [] };
  readonly #kind: Kind;
  readonly #pool: AnyPool;
  readonly #random: Random;
  readonly #retries: number;
  /** The workers that were killed here. */
  readonly #killed = new Set<number>();
  /** When the workers ended that have no successor yet. */
  readonly #ended: number[] = [];
  harmed = 0;
  submitted = 0;

  constructor(kind: Kind, pool: AnyPool, random: Random, retries: number) {
    this.#kind = kind;
    this.#pool = pool;
    this.#random = random;
    this.#retries = retries;
    pool.on('worker', ({ type }) => {
      if (type === 'ended') this.#ended.push(performance.now());
      const began = type === 'ready' ? this.#ended.shift() : undefined;
      if (began !== undefined) this.tally.replaced.push(performance.now() - began);
    });
  }

  /** Runs tasks, one after the other, until so many workers have been harmed. */
  async run(harms: number): Promise<void> {
    while (this.harmed < harms) {
      this.submitted++;
      const call = this.#random.below(8) === 0 ? this.#runMany() : this.#runOne();
      let count = 0;
      const settled = (): void => {
        count++;
      };
      call.then(settled, settled);
      await call;
      expect(count).to.equal(1);
      this.tally.settled++;
      if (this.#random.below(3) === 0 && this.#harm()) this.harmed++;
    }
  }

  async #runOne(): Promise<void> {
    const below = (limit: number): number => this.#random.below(limit);
    const value = below(1e6);
    const large = below(10) === 0 ? 'x'.repeat(200_000) : '';
    const exits = below(12) === 0;
    const target = exits ? 'exit_with' : below(2) === 0 ? 'take_and_tell' : 'take';
    const told: unknown[] | undefined = target === 'take_and_tell' ? [] : undefined;
    const onProgress = told && ((pid: unknown): void => void told.push(pid));
    const args = exits ? [7] : [1 + below(50), [value, large]];
    const call = this.#pool.apply(args, { target: this.#kind.target(target), onProgress });
    await this.#settles(call, [value, large], exits, told);
  }

  async #runMany(): Promise<void> {
    const items = Array.from({ length: ITEMS }, (_, i) => [i, this.#random.below(1e6)]);
    const chunksize = 2 + this.#random.below(4);
    const call = this.#pool.map(items, { chunksize, target: this.#kind.target('echo') });
    await this.#settles(call, items, false);
  }

  /** @param told The workers that have said they run the task, if they say so. */
  async #settles(call: Promise<unknown>, expected: unknown, exits: boolean, told?: unknown[]): Promise<void> {
    const { tally } = this;
    try {
      const result = await within(180_000, call, `task of seed ${this.#random.seed}`);
      expect(exits).to.equal(false);
      expect(result).to.deep.equal(expected);
      if (this.#retries === 0) expect(told ?? [0]).to.have.lengthOf(1);
      tally.results++;
    } catch (error) {
      if (!(error instanceof WorkerDied)) throw error;
      expect(error.attempt).to.equal(this.#retries + 1);
      if (this.#retries === 0 && told?.length) expect(told).to.deep.equal([error.pid]);
      if (error.signal === null) {
        // The blame is with the task that has ended its worker.
        expect(exits).to.equal(true);
        expect(error.exitCode).to.equal(7);
        tally.exited++;
      } else {
        expect(error.signal).to.equal('SIGKILL');
        expect(this.#killed.has(error.pid)).to.equal(true);
        tally.killed++;
      }
    }
  }

  /** Kills a worker, or stops it and lets it continue. */
  #harm(): boolean {
    const workers = this.#pool.stats().workers.filter(({ state }) => state === 'busy' || state === 'idle');
    if (workers.length === 0) return false;
    const { pid } = this.#random.pick(workers);
    if (this.#random.below(3) > 0) {
      this.#killed.add(pid);
      return sendSignal(pid, 'SIGKILL');
    }
    this.tally.stopped++;
    setTimeout(() => sendSignal(pid, 'SIGCONT'), this.#random.below(20));
    return sendSignal(pid, 'SIGSTOP');
  }
}

/** Runs tasks until this many workers have been harmed. Asserts of each task that it settles once, and as it should. */
export async function harmWorkers(kind: Kind, seed: number, harms: number, retries: number): Promise<Tally> {
  const pool = kind.make('take', { processes: 3, retries });
  const harm = new Harm(kind, pool, new Random(seed), retries);
  await pool.ready();
  await Promise.all(Array.from({ length: CONCURRENT }, () => harm.run(harms)));
  expect(harm.tally.settled).to.equal(harm.submitted);
  // The pool has lived through it.
  await within(60_000, pool.ready(), 'the replacement of the workers');
  expect(await pool.apply([1, 'alive'])).to.equal('alive');
  await pool.close();
  expect(pool.stats()).to.include({ queued: 0, running: 0 });
  return harm.tally;
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
