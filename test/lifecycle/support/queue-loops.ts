// SPDX-License-Identifier: MIT
//
// The loops of the tests of queues with several processes: short in the suite and long in the stress tests.
import { join } from 'node:path';

import { expect } from 'chai';
import { JoinableQueue, Pipe, Process, Queue, type Connection } from 'node-multiprocessing';

import { packageRoot } from '../../helpers/environment.js';
import { track, within } from '../../helpers/index.js';
import type * as roles from '../children/queue-roles.js';
import { Random } from '../../helpers/random.js';

const module = join(packageRoot, 'out', 'test', 'lifecycle', 'children', 'queue-roles.js');

type Roles = typeof roles;

/** Starts a process with a role, which the test must end. */
export function startRole<K extends keyof Roles>(
  target: K,
  ...args: Roles[K] extends (...args: infer A) => unknown ? A : never
): Process {
  const started = new Process({ module, target, args });
  started.start();
  return started;
}

/** The two ends of a pipe for the reports of a child. */
export function resultsPipe(): [Connection<never, unknown>, Connection<unknown, never>] {
  const [reader, writer] = Pipe(false);
  return [track(reader), track(writer)];
}

/** Starts a process that reports over a pipe of its own. */
export function startTeller(
  target: keyof Roles,
  makeArgs: (results: Connection) => unknown[],
): { process: Process; results: Connection<never, unknown> } {
  const [results, theirs] = resultsPipe();
  const started = new Process({ module, target, args: makeArgs(theirs) });
  started.start();
  theirs.close();
  return { process: started, results };
}

async function ended(processes: readonly Process[]): Promise<void> {
  for (const each of processes) {
    await each.join();
    expect(each.exitcode, each.name).to.equal(0);
  }
}

/**
 * Four producers, four consumers: every item arrives once, and each consumer gets the items of a producer in their
 * order.
 */
export async function expectExactlyOnce(perProducer: number, maxsize: number, seed: number): Promise<void> {
  const count = 4;
  const queue = new Queue<roles.Item | null>(maxsize);
  try {
    const consumers = Array.from({ length: count }, () => startTeller('consume', (to) => [queue, seed, to]));
    const producers = Array.from({ length: count }, (_, producer) =>
      startRole('produce', queue, producer, perProducer, seed),
    );
    await ended(producers);
    for (let i = 0; i < count; i++) await queue.put(null);
    const seen = Array.from({ length: count }, () => new Uint8Array(perProducer));
    for (const { results, process } of consumers) {
      for (const [producer, numbers] of (await results.recv()) as [number, number[]][]) {
        for (const number of numbers) (seen[producer] as Uint8Array)[number]!++;
      }
      await ended([process]);
    }
    for (const times of seen) expect(times.every((each) => each === 1)).to.equal(true);
    expect([queue.qsize(), queue.empty()]).to.deep.equal([0, true]);
  } finally {
    queue.close();
  }
}

/**
 * Kills a member that is at work on a queue, at random moments. The others go on, or get an error; no call waits for
 * ever.
 */
export async function expectNobodyHangs(kills: number, seed: number): Promise<{ broken: number; wentOn: number }> {
  const random = new Random(seed);
  const outcomes = { broken: 0, wentOn: 0 };
  for (let kill = 0; kill < kills; kill++) {
    const queue = new JoinableQueue<unknown>({ maxsize: random.pick([0, 0, 1, 7]) });
    try {
      const most = random.pick([2, 1000, 200_000, 4_000_000]);
      const way = random.pick(['put', 'get']);
      const { process, results } =
        way === 'put'
          ? startTeller('putForEver', (to) => [queue, to, seed + kill, most])
          : startTeller('takeForEver', (to) => [queue, to, false]);
      expect(await results.recv()).to.equal('started');
      const codes = await within(60_000, workAndKill(queue, process, way, most, random), `kill ${kill} of a ${way}`);
      if (codes.includes('ERR_MP_QUEUE_BROKEN')) outcomes.broken++;
      else outcomes.wentOn++;
      // With or without an error, later calls end too.
      const later = queue.put('later', { timeout: 2000 }).then(() => queue.get({ timeout: 2000 }));
      const code = await within(
        30_000,
        later.then(
          () => undefined,
          (error: unknown) => (error as { code: string }).code,
        ),
        `the calls after kill ${kill} of a ${way}`,
      );
      expect([undefined, 'ERR_MP_QUEUE_BROKEN', 'ERR_MP_EMPTY', 'ERR_MP_FULL']).to.include(code);
      await process.join();
    } finally {
      queue.cancelJoinThread();
      queue.close();
    }
  }
  return outcomes;
}

/** Works on the queue from the other side while the process is killed. Returns the codes of the calls that failed. */
async function workAndKill(
  queue: Queue<unknown>,
  process: Process,
  way: string,
  most: number,
  random: Random,
): Promise<string[]> {
  const codes: string[] = [];
  const step = async (): Promise<void> => {
    try {
      if (way === 'put') await queue.get({ timeout: 300 });
      else await queue.put(Buffer.alloc(random.below(most)), { timeout: 300 });
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
  };
  for (let before = random.below(30); before > 0; before--) await step();
  process.kill();
  // A queue without a limit of its own takes everything that is put.
  for (let after = 0; after < 40 && codes.length === 0; after++) await step();
  for (const code of codes) {
    expect(['ERR_MP_EMPTY', 'ERR_MP_FULL', 'ERR_MP_QUEUE_BROKEN']).to.include(code);
  }
  return codes;
}

/** Makes queues, passes each to a child and drops it. The hook after the test checks that nothing stays. */
export async function makePassAndDrop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const queue = new Queue<number>();
    const child = startRole('putNumbers', queue, 1, 0);
    expect(await queue.get()).to.equal(0);
    queue.close();
    await child.join();
    expect(child.exitcode).to.equal(0);
  }
}
