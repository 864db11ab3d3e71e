// SPDX-License-Identifier: MIT
//
// CPython's own tests of Condition, from Lib/test/_test_multiprocessing.py, with waiters and notifiers in Node and in
// each peer. The titles begin with their names.
import { expect } from 'chai';

import { reached, withinNode, withPeers, type Cast, type Scene } from './support/locks-scene.js';
import { allLanguages, node, someLanguages, type Side } from './support/locks-side.js';

/**
 * The child's signals to the test: it is about to wait for the first time, and it holds the lock again. The last
 * semaphore tells the child to release the lock.
 */
const SIGNS = { entered: ['Semaphore', 0], held: ['Semaphore', 0], leave: ['Semaphore', 0] } as const;

const OBJECTS = { cond: ['Condition'], sleeping: ['Semaphore', 0], woken: ['Semaphore', 0] } as const;

/** Starts CPython's `f` in all waiters. Resolves when they sleep, or have slept. */
async function sleep(
  scene: Scene,
  waiters: readonly Side[],
  timeout?: number,
): Promise<{ results: Promise<unknown[]> }> {
  const args = timeout === undefined ? [] : [timeout];
  const results = Promise.all(waiters.map((waiter) => waiter.run('f', 'cond', 'sleeping', 'woken', ...args)));
  // The test may fail before it looks at the results.
  results.catch(() => undefined);
  await take(scene, 'sleeping', waiters.length);
  // The last waiter has just released the semaphore. With a timeout the first waiter may have woken again.
  if (timeout === undefined) await reached(() => scene.sleepers('cond'), waiters.length);
  return { results };
}

/** Takes `count` values from a semaphore. */
async function take(scene: Scene, name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect(await scene.here.run('acquire', name)).to.equal(true);
}

/**
 * The number of waiters that woke and were not expected to, and the number of sleepers. After a notification neither
 * changes any more.
 */
async function counts(scene: Scene): Promise<[unknown, number]> {
  return [await scene.here.run('value', 'woken'), scene.sleepers('cond')];
}

const results = (count: number, value: boolean): boolean[] => Array<boolean>(count).fill(value);

describe('_TestCondition', () => {
  withPeers('test_notify wakes one waiter each time', allLanguages(), async ({ scene, lead, peer }) => {
    await scene.make(OBJECTS);
    const sleepers = await sleep(scene, await scene.waiters(2, peer));
    expect(await counts(scene)).to.deep.equal([0, 2]);
    for (const left of [1, 0]) {
      await lead.run('notify', 'cond');
      await take(scene, 'woken', 1);
      expect(await counts(scene)).to.deep.equal([0, left]);
    }
    expect(await sleepers.results).to.deep.equal(results(2, true));
    await scene.settled('cond');
  });

  withPeers(
    'test_notify_all wakes six waiters that have timed out before',
    someLanguages(),
    async ({ scene, lead, peer }) => {
      await scene.make(OBJECTS);
      const waiters = await scene.waiters(6, peer);
      const tired = await sleep(scene, waiters, 60);
      await take(scene, 'woken', 6);
      expect(await tired.results).to.deep.equal(results(6, false));
      expect(await counts(scene)).to.deep.equal([0, 0]);
      scene.checkInvariant('cond');

      const sleepers = await sleep(scene, waiters);
      expect(await counts(scene)).to.deep.equal([0, 6]);
      await lead.run('notify_all', 'cond');
      await take(scene, 'woken', 6);
      expect(await sleepers.results).to.deep.equal(results(6, true));
      expect(await counts(scene)).to.deep.equal([0, 0]);
      await scene.settled('cond');
    },
  );

  withPeers('test_notify_n wakes two waiters, then four, then none', someLanguages(), async ({ scene, lead, peer }) => {
    await scene.make(OBJECTS);
    const sleepers = await sleep(scene, await scene.waiters(6, peer));
    expect(await counts(scene)).to.deep.equal([0, 6]);
    for (const [n, left] of [
      [2, 4],
      [4, 0],
    ] as const) {
      await lead.run('notify', 'cond', n);
      await take(scene, 'woken', n);
      expect(await counts(scene)).to.deep.equal([0, left]);
    }
    await lead.run('notify', 'cond', 3);
    expect(await sleepers.results).to.deep.equal(results(6, true));
    expect(await counts(scene)).to.deep.equal([0, 0]);
    await scene.settled('cond');
  });

  const timesOut = async (scene: Scene, sides: readonly Side[]): Promise<void> => {
    for (const side of sides) {
      for (const timeout of [0, 60]) {
        const before = performance.now();
        expect(await side.run('wait', 'cond', timeout)).to.equal(false);
        expect(performance.now() - before).to.be.at.least(timeout);
      }
    }
    await scene.settled('cond');
  };

  withinNode('test_timeout returns false, and not before the timeout', async (scene, here) => {
    await scene.make(OBJECTS);
    await timesOut(scene, [here]);
  });

  withPeers(
    'test_timeout returns false, and not before the timeout',
    someLanguages(),
    async ({ scene, lead, other }) => {
      await scene.make(OBJECTS);
      await timesOut(scene, [lead, other, lead]);
    },
  );

  withPeers(
    'test_timeout keeps the counters right when waits time out during notifications',
    someLanguages(),
    async ({ scene, lead, peer }) => {
      await scene.make(OBJECTS);
      const waiters = await scene.waiters(4, peer);
      for (let round = 0; round < 10; round++) {
        const waited = Promise.all(waiters.map((waiter, i) => waiter.run('wait', 'cond', round + 2 * i)));
        await lead.run('notify', 'cond');
        await lead.run('notify', 'cond', 2);
        for (const result of await waited) expect(result).to.be.a('boolean');
        scene.checkInvariant('cond');
      }
      await scene.settled('cond');
    },
  );

  /** Runs one call on each side at the same time. The side that may block this thread goes last. */
  const together = async ({ scene, peer, lead }: Cast, theLead: unknown[], theOther: unknown[]): Promise<unknown[]> => {
    const args = lead === peer ? [theLead, theOther] : [theOther, theLead];
    const [ofPeer, ofHere] = args as [[string, ...unknown[]], [string, ...unknown[]]];
    const theirs = peer.run(...ofPeer);
    const results = [await scene.here.run(...ofHere), await theirs];
    return lead === peer ? results.reverse() : results;
  };

  // CPython's state begins with -1. A semaphore cannot be negative, so its value is one more.
  withPeers('test_waitfor makes both sides wait for values and notify', someLanguages(), async (cast) => {
    const { scene, other } = cast;
    await scene.make({ cond: ['Condition'], state: ['Semaphore', 0] });
    expect(await together(cast, ['waitfor', 'cond', 'state'], ['waitfor_f', 'cond', 'state'])).to.deep.equal([
      true,
      true,
    ]);
    expect(await other.run('value', 'state')).to.equal(5);
    await scene.settled('cond');
  });

  withPeers('test_waitfor_timeout returns false for a value that is not reached', someLanguages(), async (cast) => {
    const { scene, other } = cast;
    await scene.make({ cond: ['Condition'], state: ['Semaphore', 0] });
    const before = performance.now();
    const result = await together(cast, ['increase', 'cond', 'state', 3], ['wait_for', 'cond', 'state', 4, 100]);
    expect(result).to.deep.equal([null, false]);
    expect(performance.now() - before).to.be.at.least(100);
    expect(await other.run('value', 'state')).to.equal(3);
    await scene.settled('cond');
  });

  for (const lock of ['Lock', 'RLock'] as const) {
    withPeers(
      `test_wait_result returns false, then true, and is interrupted by a signal (${lock})`,
      someLanguages(),
      async ({ scene, lead, other }) => {
        await scene.make({ lock: [lock], cond: ['Condition', 'lock'], ...SIGNS });
        expect(await other.run('wait', 'cond', 0)).to.equal(false);
        expect(await other.run('wait', 'cond', 100)).to.equal(false);

        const child = await scene.start(node, 'sync');
        const waited = child.run('wait_result', 'cond', 'entered', 'held', 'leave');
        await take(scene, 'entered', 1);
        expect(await lead.run('notify', 'cond')).to.equal(null);
        // The child waits once more, and has released the lock for that.
        await reached(() => scene.sleepers('cond'), 1);
        expect(await lead.run('acquire', 'lock')).to.equal(true);
        expect(await lead.run('release', 'lock')).to.equal(null);
        // A signal before the thread blocks would have no effect.
        while ((await scene.here.run('acquire', 'held', false)) === false) {
          child.peer.kill('SIGINT');
          await new Promise((resolve) => setImmediate(resolve));
        }
        for (const side of [lead, other]) expect(await side.run('acquire', 'lock', false)).to.equal(false);
        await lead.run('release', 'leave');
        expect(await waited).to.deep.equal([false, false, true, 'ERR_MP_INTERRUPTED']);
        await scene.settled('cond');
      },
    );
  }
});
