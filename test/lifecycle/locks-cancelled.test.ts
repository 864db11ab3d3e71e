// SPDX-License-Identifier: MIT
//
// Acquires that are given up: no value is lost, no value is left unused while a waiter sleeps, and nothing grows.
import { native } from '#lib/native/addon.js';
import { readSettings } from '#lib/native/settings.js';
import { expect } from 'chai';
import { Lock } from 'node-multiprocessing';

import { spawnPeer } from '../helpers/index.js';
import { expectCancelledCleanly, expectPythonServed } from './support/lock-loops.js';
import { child, report } from './support/programs.js';

describe('Acquires that time out or are aborted', function () {
  it('leave the value, the threads and the memory as they were, 5,000 times', function () {
    return expectCancelledCleanly(5000, 60_000);
  });

  it('do not keep a posted value from a sleeping Python waiter, 200 times', function () {
    return expectPythonServed(200);
  });
});

describe('20,000 acquires of one lock', function () {
  // Regression: this took most of a minute, since each acquire that gave up was looked for among all others.
  it('with a time limit all give up, and the next one gets the lock', async function () {
    const lock = new Lock();
    lock.acquireSync();
    const pending = Array.from({ length: 20_000 }, () => lock.acquire({ timeout: 100 }));
    expect(new Set(await Promise.all(pending))).to.deep.equal(new Set([false]));
    const next = lock.acquire();
    lock.release();
    expect(await next).to.equal(true);
    lock.release();
    lock.close();
  });
});

describe('300 semaphores with pending acquires', function () {
  it('are all served, by four threads', async function () {
    const peer = spawnPeer(child('lock-cancel'), { args: ['many'] });
    const { extra, served, left } = await report(peer);
    expect({ served, left }).to.deep.equal({ served: 300, left: 0 });
    // Each thread serves 127, and the first thread was there before. Where a thread tries the semaphores in turn, one
    // is enough.
    const waitsForMany = native.semaphores.waitsForMany && !readSettings().semaphoresInTurn;
    expect(extra).to.be.at.most(waitsForMany ? 3 : 0);
    await peer.succeeded();
  });
});
