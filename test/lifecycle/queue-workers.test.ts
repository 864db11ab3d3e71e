// SPDX-License-Identifier: MIT
//
// A worker, or the whole process, ends while calls of queues wait in the worker. They run in a child, and the tests compare
// its end: a defect here is a crash or a hang.
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import { describe as descriptorOf, JoinableQueue } from 'node-multiprocessing';

import { packageRoot, rejects, spawnPeer } from '../helpers/index.js';
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

describe('A worker that has got an item and is terminated', function () {
  it('leaves the item unfinished, and another member may finish it', async function () {
    const queue = new JoinableQueue<string>();
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      const mp = require(${JSON.stringify(join(packageRoot, 'dist', 'index.cjs'))});
      const queue = mp.attach(workerData);
      queue.get().then((item) => parentPort.postMessage(item));
      setInterval(() => {}, 1000);`;
    const worker = new Worker(program, { eval: true, workerData: descriptorOf(queue, { nodeOnly: true }) });
    await queue.put('an item');
    expect(await once(worker, 'message')).to.deep.equal(['an item']);
    await worker.terminate();
    await rejects(queue.join({ timeout: 500 }), { code: 'ERR_MP_TIMEOUT' });
    await queue.taskDone();
    await queue.join();
    expect(queue.stats().lost).to.equal(0);
    queue.close();
  });
});

describe('A worker that has put items and is terminated', function () {
  it('leaves none of them behind, although its event loop had no further turn', async function () {
    const queue = new JoinableQueue<number>();
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      const mp = require(${JSON.stringify(join(packageRoot, 'dist', 'index.cjs'))});
      const queue = mp.attach(workerData);
      for (let i = 0; i < 3; i++) void queue.put(i);
      parentPort.postMessage('all are put');
      for (;;);`;
    const worker = new Worker(program, { eval: true, workerData: descriptorOf(queue, { nodeOnly: true }) });
    expect(await once(worker, 'message')).to.deep.equal(['all are put']);
    await worker.terminate();
    for (const item of [0, 1, 2]) expect(await queue.get()).to.equal(item);
    expect(queue.stats()).to.include({ put: 3, got: 3, lost: 0 });
    queue.close();
  });
});
