// SPDX-License-Identifier: MIT
//
// CPython's own tests of Lock and RLock, from Lib/test/_test_multiprocessing.py, within Node and between Node and each
// peer. The titles begin with their names.
import { expect } from 'chai';
import type { Lock, RLock } from 'node-multiprocessing';

import { rejects } from '../helpers/index.js';
import { withinNode, withPeers, type Scene } from './support/locks-scene.js';
import { allLanguages, someLanguages, type Side } from './support/locks-side.js';

async function testLock(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ lock: ['Lock'] });
  for (const [owner, other] of [
    [a, b],
    [b, a],
  ] as const) {
    expect(await owner.run('acquire', 'lock')).to.equal(true);
    expect(await owner.run('acquire', 'lock', false)).to.equal(false);
    expect(await other.run('acquire', 'lock', false)).to.equal(false);
    expect(await owner.run('release', 'lock')).to.equal(null);
    for (const side of [owner, other]) await rejects(side.run('release', 'lock'), { code: side.errors.tooOften });
    // Every process may release a Lock.
    expect(await owner.run('acquire', 'lock')).to.equal(true);
    expect(await other.run('release', 'lock')).to.equal(null);
    for (const side of [owner, other]) await rejects(side.run('release', 'lock'), { code: side.errors.tooOften });
    expect(await other.run('value', 'lock')).to.equal(1);
  }
}

async function testRlock(scene: Scene, a: Side, b: Side): Promise<void> {
  await scene.make({ lock: ['RLock'] });
  for (const [owner, other] of [
    [a, b],
    [b, a],
  ] as const) {
    for (let i = 0; i < 3; i++) expect(await owner.run('acquire', 'lock')).to.equal(true);
    if (other !== owner) await rejects(other.run('release', 'lock'), { code: other.errors.notOwner });
    for (let i = 0; i < 3; i++) {
      if (other !== owner) expect(await other.run('acquire', 'lock', false)).to.equal(false);
      expect(await owner.run('release', 'lock')).to.equal(null);
    }
    for (const side of [owner, other]) await rejects(side.run('release', 'lock'), { code: side.errors.notOwner });
    expect(await other.run('value', 'lock')).to.equal(1);
  }
}

describe('_TestLock', () => {
  withinNode('test_lock acquires a lock once, and any side releases it once', (scene, here) =>
    testLock(scene, here, here),
  );

  withPeers('test_lock acquires a lock once, and any side releases it once', allLanguages(), ({ scene, lead, other }) =>
    testLock(scene, lead, other),
  );

  withinNode('test_rlock acquires three times and refuses a fourth release', (scene, here) =>
    testRlock(scene, here, here),
  );

  withPeers('test_rlock acquires three times and refuses a fourth release', someLanguages(), ({ scene, lead, other }) =>
    testRlock(scene, lead, other),
  );

  for (const kind of ['Lock', 'RLock'] as const) {
    withinNode(`test_lock_context releases at the end of withLock and of a guard (${kind})`, async (scene) => {
      await scene.make({ lock: [kind] });
      const lock = scene.here.workshop.get('lock') as Lock | RLock;
      const result = await lock.withLock(() => {
        expect(lock.value).to.equal(0);
        return 'result';
      });
      expect([result, lock.value]).to.deep.equal(['result', 1]);
      const error = Object.assign(new Error('on purpose'), { code: 'PURPOSE' });
      await rejects(
        lock.withLock(() => {
          throw error;
        }),
        { code: 'PURPOSE' },
      );
      expect(lock.value).to.equal(1);

      const guard = await lock.guard();
      try {
        expect(lock.value).to.equal(0);
        await rejects(
          lock.withLock(() => undefined, { timeout: 0 }),
          { code: 'ERR_MP_TIMEOUT' },
        );
        await rejects(lock.guard({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
      } finally {
        await guard[Symbol.asyncDispose]();
      }
      expect(lock.value).to.equal(1);
      guard[Symbol.dispose]();
      guard.release();
      expect(lock.value).to.equal(1);
    });

    withPeers(
      `test_lock_context keeps the other side out inside, and lets both in afterwards (${kind})`,
      someLanguages(),
      async ({ scene, lead, other }) => {
        await scene.make({ lock: [kind], inside: ['Semaphore', 0], leave: ['Semaphore', 0] });
        // A blocked thread could not tell the other side what to do.
        const [holder, stranger] = lead.blocks && lead === scene.here ? [other, lead] : [lead, other];
        const context = holder.run('context', 'lock', 'inside', 'leave');
        expect(await stranger.run('acquire', 'inside')).to.equal(true);
        expect(await stranger.run('acquire', 'lock', false)).to.equal(false);
        expect(await stranger.run('acquire', 'lock', true, 20)).to.equal(false);
        expect(await stranger.run('release', 'leave')).to.equal(null);
        await context;
        expect(await stranger.run('acquire', 'lock')).to.equal(true);
        expect(await stranger.run('release', 'lock')).to.equal(null);
      },
    );
  }
});
