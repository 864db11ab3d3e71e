// SPDX-License-Identifier: MIT
//
// Signals that arrive while a Sync call waits for a semaphore.
import { expect } from 'chai';

import { spawnPeer, type Peer } from '../helpers/index.js';
import {
  closeScenes,
  makeScene,
  sleepersOn,
  syncLockCalls,
  until,
  untilBlockedOn,
  type LockCall,
  type Scene,
} from './support/locks.js';
import { child, report } from './support/programs.js';

async function startCall(scene: Scene, { name }: LockCall, place: string, ...listeners: string[]): Promise<Peer> {
  const args = [place, name, JSON.stringify(scene.target), ...listeners];
  const peer = spawnPeer(child('lock-signal'), { args });
  expect(await report(peer)).to.deep.equal({ calling: 0 });
  if (place === 'main') await untilBlockedOn(scene.waitsOn, peer.pid);
  else await until(() => sleepersOn(scene.waitsOn) > 0);
  return peer;
}

for (const call of syncLockCalls) {
  /** The call's result when it succeeds. */
  const success = { result: true };

  describe(`A signal during ${call.name}`, function () {
    afterEach(closeScenes);

    it('interrupts the call if JavaScript listens for it, and the call can be repeated', async function () {
      const scene = makeScene(call.kind);
      const peer = await startCall(scene, call, 'main', 'SIGINT');
      peer.kill('SIGINT');
      expect(await report(peer)).to.deep.equal({ code: 'ERR_MP_INTERRUPTED' });
      expect(await report(peer)).to.deep.equal({ calling: 1 });
      await untilBlockedOn(scene.waitsOn, peer.pid);
      await scene.satisfy();
      expect(await report(peer)).to.deep.equal(success);
      expect(await report(peer)).to.deep.equal({ heard: ['SIGINT'] });
      await peer.succeeded();
    });

    it('ends the process without a listener', async function () {
      const scene = makeScene(call.kind);
      const peer = await startCall(scene, call, 'main');
      peer.kill('SIGINT');
      expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGINT' });
      await scene.expectUntouched();
    });

    it('does not interrupt the call in a worker; the listener runs in the main thread', async function () {
      const scene = makeScene(call.kind);
      const peer = await startCall(scene, call, 'worker', 'SIGINT');
      for (let i = 0; i < 3; i++) peer.kill('SIGINT');
      await until(() => sleepersOn(scene.waitsOn) > 0);
      await scene.satisfy();
      expect(await report(peer)).to.deep.equal(success);
      expect(await report(peer)).to.deep.equal({ heard: ['SIGINT'] });
      await peer.succeeded();
    });

    it('ends the process from a worker without a listener', async function () {
      const scene = makeScene(call.kind);
      const peer = await startCall(scene, call, 'worker');
      peer.kill('SIGINT');
      expect(await peer.exit).to.deep.equal({ code: null, signal: 'SIGINT' });
      await scene.expectUntouched();
    });

    it('has no effect on the call if it is SIGCHLD', async function () {
      const scene = makeScene(call.kind);
      const peer = await startCall(scene, call, 'main', 'SIGCHLD');
      for (let i = 0; i < 3; i++) peer.kill('SIGCHLD');
      await untilBlockedOn(scene.waitsOn, peer.pid);
      await scene.satisfy();
      expect(await report(peer)).to.deep.equal(success);
      expect(await report(peer)).to.deep.equal({ heard: ['SIGCHLD'] });
      await peer.succeeded();
    });
  });
}
