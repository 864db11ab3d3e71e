// SPDX-License-Identifier: MIT
//
// CPython's own tests of Event, from Lib/test/_test_multiprocessing.py, within Node and between Node and each peer. The
// titles begin with their names.
import { expect } from 'chai';

import { reached, withinNode, withPeers, type Scene } from './support/locks-scene.js';
import { allLanguages, someLanguages, type Side } from './support/locks-side.js';

/** The steps of CPython's test. `setter` changes the event; `asker` looks at it and waits for it. */
async function testEvent(scene: Scene, setter: Side, asker: Side): Promise<void> {
  const waits = async (expected: boolean, timeout?: number): Promise<void> => {
    const before = performance.now();
    expect(await asker.run('wait_event', 'event', ...(timeout === undefined ? [] : [timeout]))).to.equal(expected);
    if (!expected) expect(performance.now() - before).to.be.at.least(timeout ?? 0);
  };
  expect(await asker.run('is_set', 'event')).to.equal(false);
  await waits(false, 0);
  await waits(false, 60);
  expect(await setter.run('set', 'event')).to.equal(null);
  expect(await asker.run('is_set', 'event')).to.equal(true);
  await waits(true);
  await waits(true, 60);
  expect(await setter.run('set', 'event')).to.equal(null);
  expect(await asker.run('is_set', 'event')).to.equal(true);
  expect(await setter.run('clear', 'event')).to.equal(null);
  expect(await asker.run('is_set', 'event')).to.equal(false);
  await waits(false, 0);
  scene.checkInvariant('event');
}

async function testRepr(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ event: ['Event'] });
  for (const [setter, asker] of [
    [a, b],
    [b, a],
  ] as const) {
    expect(await asker.run('shown', 'event')).to.equal('unset');
    await setter.run('set', 'event');
    expect(await asker.run('shown', 'event')).to.equal('set');
    await setter.run('clear', 'event');
    expect(await asker.run('shown', 'event')).to.equal('unset');
  }
}

describe('_TestEvent', () => {
  withinNode('test_event sets, clears, and waits with and without a timeout', async (scene, here) => {
    await scene.make({ event: ['Event'] });
    await testEvent(scene, here, here);
    if (!here.blocks) {
      const waiting = here.run('wait_event', 'event');
      await reached(() => scene.sleepers('event'), 1);
      await here.run('set', 'event');
      expect(await waiting).to.equal(true);
    }
    await scene.settled('event', 'set');
  });

  withPeers(
    'test_event sets, clears, and waits with and without a timeout',
    allLanguages(),
    async ({ scene, lead, other, peer }) => {
      await scene.make({ event: ['Event'] });
      await scene.openSleepers('event', 'sleepers');
      await testEvent(scene, lead, other);
      await testEvent(scene, other, lead);

      // The counters still contain the waits that timed out.
      const { woken } = scene.counters('event');
      const timedOut = woken.value;
      expect(timedOut).to.be.at.least(1);
      const waiting = peer.run('wait_event', 'event');
      await reached(() => scene.sleepers('event'), 1);
      expect(await scene.here.run('set', 'event')).to.equal(null);
      expect(await waiting).to.equal(true);
      expect(woken.value).to.equal(0);

      expect(await scene.here.run('clear', 'event')).to.equal(null);
      const setting = peer.run('set_when_waited_for', 'event', 'sleepers');
      expect(await scene.here.run('wait_event', 'event')).to.equal(true);
      expect(await setting).to.equal(null);
      await scene.settled('event', 'set');
    },
  );

  withPeers(
    'test_event wakes the waiters of both sides with one set',
    someLanguages(),
    async ({ scene, lead, peer }) => {
      await scene.make({ event: ['Event'] });
      const waiters = await scene.waiters(6, peer);
      const waiting = Promise.all(waiters.map((waiter) => waiter.run('wait_event', 'event')));
      await reached(() => scene.sleepers('event'), 6);
      await lead.run('set', 'event');
      expect(await waiting).to.deep.equal(Array(6).fill(true));
      await scene.settled('event', 'set');
    },
  );

  const repr = 'test_repr shows whether the event is set';
  withinNode(repr, (scene, here) => testRepr(scene, here, here));
  withPeers(repr, someLanguages(), ({ scene, lead, other }) => testRepr(scene, lead, other));
});
