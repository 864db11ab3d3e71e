// SPDX-License-Identifier: MIT
//
// close(), and the end of a worker or process, while a call waits for a semaphore. Neither takes or gives a value.
import { expect } from 'chai';

import { rejects, spawnPeer, turns, within } from '../helpers/index.js';
import { asyncLockCalls, attachTarget, closeScenes, lockCalls, makeScene, sleepersOn, until } from './support/locks.js';
import { child } from './support/programs.js';

const WATCHDOG_MS = 20_000;

describe('close() of a lock, condition, event or semaphore', function () {
  afterEach(closeScenes);

  for (const { name, kind, start } of asyncLockCalls) {
    for (const count of [1, 20]) {
      it(`rejects ${name} with ClosedError (${count} calls)`, async function () {
        const scene = makeScene(kind);
        const object = attachTarget(scene.target);
        const pending = Array.from({ length: count }, () =>
          rejects(start(object as never) as Promise<unknown>, { code: 'ERR_MP_CLOSED' }),
        );
        await turns();
        object.close();
        object.close();
        await within(WATCHDOG_MS, Promise.all(pending), 'all rejections');
        await scene.expectUntouched();
      });
    }
  }
});

const ways = [
  { where: 'worker-terminate', code: 0, does: 'is ended by terminate() of its worker' },
  { where: 'worker-exit', code: 0, does: 'is ended by process.exit() of its worker', asyncOnly: true },
  { where: 'worker-main-exit', code: 7, does: 'is ended in a worker by process.exit() of the main thread' },
  { where: 'main-exit', code: 7, does: 'is ended by process.exit()', asyncOnly: true },
];

for (const { where, code, does, asyncOnly } of ways) {
  describe(`A pending call that ${does}`, function () {
    afterEach(closeScenes);

    for (const { name, kind, sync } of asyncOnly === true ? asyncLockCalls : lockCalls) {
      it(`has taken and given nothing (${name})`, async function () {
        const scene = makeScene(kind);
        const peer = spawnPeer(child('lock-host'), {
          args: [where, name, JSON.stringify(scene.target)],
          watchdogMs: WATCHDOG_MS,
        });
        expect(await peer.line()).to.equal(sync ? 'calling' : 'pending');
        if (sync) await until(() => sleepersOn(scene.waitsOn) > 0);
        peer.tell('end');
        if (code === 0) {
          expect(await peer.line()).to.equal('ended');
          await scene.expectUntouched();
          await peer.release();
        }
        expect(await peer.exit, peer.stderr).to.deep.equal({ code, signal: null });
        if (code !== 0) await scene.expectUntouched();
      });
    }
  });
}
