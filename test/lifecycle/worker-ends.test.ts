// SPDX-License-Identifier: MIT
//
// A worker, or the whole process, ends while calls wait in the worker. Everything runs in a child, and the tests
// compare its exit code and signal: a defect here is a crash or a hang at the very end.
import { expect } from 'chai';

import { kinds, ioMethods, spawnPeer, type Kind } from '../helpers/index.js';
import { asyncCalls, possible, syncCalls } from './support/connection-calls.js';
import { child } from './support/programs.js';

function expectAll(stdout: string, calls: readonly { name: string }[]): void {
  expect(stdout.trim().split(' ')).to.deep.equal(calls.map(({ name }) => name));
}

function ioMethodsOf(kind: Kind): readonly string[] {
  return kind === 'pipe' ? ioMethods : ['nowait'];
}

for (const kind of kinds) {
  for (const ioMethod of ioMethodsOf(kind)) {
    const env = { NODE_MULTIPROCESSING_RUNG: ioMethod };

    describe(`A worker with a pending call (${kind}, ${ioMethod})`, function () {
      it('is ended by terminate() during every kind of call', async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['terminate', kind], env });
        expectAll(await peer.succeeded(), [...possible(asyncCalls, kind), ...possible(syncCalls, kind)]);
      });

      it('ends with process.exit() during every kind of asynchronous call', async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['worker-exit', kind], env });
        expectAll(await peer.succeeded(), possible(asyncCalls, kind));
      });

      it('ends with an uncaught error during every kind of asynchronous call', async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['worker-throw', kind], env });
        expectAll(await peer.succeeded(), possible(asyncCalls, kind));
      });
    });
  }

  describe(`The main thread, while a call is pending in a worker (${kind})`, function () {
    // One asynchronous call of each direction is enough here: none of them holds the worker's thread.
    const names = [...possible(syncCalls, kind).map(({ name }) => name), 'recv', 'sendBytes'];
    for (const name of names) {
      it(`ends with process.exit() during ${name}`, async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['main-exit', kind, name] });
        expect(await peer.exit, peer.stderr).to.deep.equal({ code: 7, signal: null });
      });
    }

    for (const { name } of possible(syncCalls, kind)) {
      it(`ends with process.exit() during ${name} when it uses the package too`, async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['main-exit', kind, name, 'imports'] });
        expect(await peer.exit, peer.stderr).to.deep.equal({ code: 7, signal: null });
      });

      it(`ends with an uncaught error during ${name}`, async function () {
        const peer = spawnPeer(child('worker-host'), { args: ['main-throw', kind, name, 'imports'] });
        expect(await peer.exit, peer.stderr).to.deep.equal({ code: 1, signal: null });
        expect(peer.stderr).to.contain('thrown on purpose');
      });
    }
  });
}
