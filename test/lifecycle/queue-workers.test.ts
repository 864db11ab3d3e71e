// SPDX-License-Identifier: MIT
//
// A worker, or the whole process, ends while calls of queues wait in the worker. Everything runs in a child, and the
// tests compare its end: a defect here is a crash or a hang.
import { expect } from 'chai';

import { spawnPeer } from '../helpers/index.js';
import { child } from './support/programs.js';
import { queueCalls } from './support/queue-calls.js';

const names = Object.keys(queueCalls);
const asyncNames = names.filter((name) => !name.endsWith('Sync'));

describe('A worker with a pending call of a queue', function () {
  for (const [ending, how, calls] of [
    ['terminate', 'is ended by terminate()', names],
    ['worker-exit', 'ends with process.exit()', asyncNames],
    ['worker-throw', 'ends with what it throws', asyncNames],
  ] as const) {
    it(`${how} during every kind of call`, async function () {
      const peer = spawnPeer(child('queue-worker'), { args: [ending] });
      const stdout = await peer.succeeded();
      expect(stdout.trim().split(' ')).to.deep.equal(calls);
    });
  }
});

describe('The main thread, while a call of a queue is pending in a worker', function () {
  for (const name of names) {
    it(`ends with process.exit() during ${name}`, async function () {
      const peer = spawnPeer(child('queue-worker'), { args: ['main-exit', name] });
      expect(await peer.exit, peer.describe('ended')).to.deep.equal({ code: 7, signal: null });
    });
  }

  for (const name of ['get', 'getSync', 'putAboveMark', 'joinThreadSync']) {
    it(`ends with an uncaught error during ${name}`, async function () {
      const peer = spawnPeer(child('queue-worker'), { args: ['main-throw', name] });
      expect(await peer.exit, peer.describe('ended')).to.deep.equal({ code: 1, signal: null });
    });
  }
});
