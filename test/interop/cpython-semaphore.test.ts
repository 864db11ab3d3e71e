// SPDX-License-Identifier: MIT
//
// CPython's own tests of Semaphore and BoundedSemaphore, from Lib/test/_test_multiprocessing.py, within Node and
// between Node and each peer. The titles begin with their names.
import { expect } from 'chai';

import { rejects } from '../helpers/index.js';
import { withinNode, withPeers, type Scene } from './support/locks-scene.js';
import { allLanguages, someLanguages, type Side } from './support/locks-side.js';

/** The steps: a call, its arguments, its result, and the value afterwards. */
const STEPS = [
  ['acquire', [], true, 1],
  ['acquire', [], true, 0],
  ['acquire', [false], false, 0],
  ['release', [], null, 1],
  ['release', [], null, 2],
] as const;

/** CPython's _test_semaphore. The `sides` take the steps in turn. */
async function testSemaphore(name: string, sides: readonly Side[]): Promise<void> {
  for (const side of sides) expect(await side.run('value', name)).to.equal(2);
  // In the second order, each value is released by the side that did not acquire it.
  for (const turns of [sides, [...sides].reverse()]) {
    for (const [i, [target, args, result, value]] of STEPS.entries()) {
      expect(await turns[i % turns.length]!.run(target, name, ...args)).to.equal(result);
      for (const side of sides) expect(await side.run('value', name)).to.equal(value);
    }
  }
}

async function testUnbounded(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ sem: ['Semaphore', 2] });
  await testSemaphore('sem', [a, b]);
  expect(await a.run('release', 'sem')).to.equal(null);
  expect(await b.run('value', 'sem')).to.equal(3);
  expect(await b.run('release', 'sem')).to.equal(null);
  expect(await a.run('value', 'sem')).to.equal(4);
}

async function testBounded(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ sem: ['BoundedSemaphore', 2] });
  await testSemaphore('sem', [a, b]);
  for (const side of [a, b]) {
    await rejects(side.run('release', 'sem'), { code: side.errors.tooOften });
    expect(await side.run('value', 'sem')).to.equal(2);
  }
}

const HOUR = 3_600_000;

/** The arguments block and timeout, where a null block is left out, and the least duration of the call. */
const FORMS: readonly (readonly [readonly unknown[], number])[] = [
  [[false], 0],
  [[false, null], 0],
  [[false, HOUR], 0],
  [[true, 60], 60],
  [[null, 90], 90],
  [[true, 0], 0],
  [[true, -1], 0],
];

async function testTimeout(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ sem: ['Semaphore', 0] });
  for (const side of new Set([a, b])) {
    for (const [args, least] of FORMS) {
      const before = performance.now();
      expect(await side.run('acquire', 'sem', ...args)).to.equal(false);
      expect(performance.now() - before).to.be.at.least(least);
    }
  }
  for (const [args] of FORMS) {
    await a.run('release', 'sem');
    expect(await b.run('acquire', 'sem', ...args)).to.equal(true);
  }
  expect(await a.run('value', 'sem')).to.equal(0);
}

/** A release on one side wakes a waiter on the other side, with and without a timeout. */
async function testWoken(waiter: Side, releaser: Side): Promise<void> {
  for (const args of [[], [true], [true, null], [true, HOUR], [null, HOUR]]) {
    const waiting = waiter.run('acquire', 'sem', ...args);
    await releaser.run('release', 'sem');
    expect(await waiting).to.equal(true);
  }
}

describe('_TestSemaphore', () => {
  const grows = 'test_semaphore counts from 2 to 0, back, and above its initial value';
  withinNode(grows, (scene, here) => testUnbounded(scene, here, here));
  withPeers(grows, allLanguages(), ({ scene, lead, other }) => testUnbounded(scene, lead, other));

  const bounded = 'test_bounded_semaphore refuses to count above its initial value';
  withinNode(bounded, (scene, here) => testBounded(scene, here, here));
  withPeers(bounded, someLanguages(), ({ scene, lead, other }) => testBounded(scene, lead, other));

  const timeout = 'test_timeout accepts every form of block and timeout';
  withinNode(timeout, (scene, here) => testTimeout(scene, here, here));
  withPeers(timeout, someLanguages(), ({ scene, lead, other }) => testTimeout(scene, lead, other));

  withPeers('test_timeout ends when the other side releases', someLanguages(), async ({ scene, lead, other }) => {
    await scene.make({ sem: ['Semaphore', 0] });
    // A blocked thread could not ask for the release.
    if (other.blocks && other === scene.here) await testWoken(lead, other);
    else await testWoken(other, lead);
  });
});
