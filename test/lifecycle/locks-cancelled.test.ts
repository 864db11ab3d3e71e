// SPDX-License-Identifier: MIT
//
// Acquires that are given up: no value is lost, no value is left unused while a waiter sleeps, and nothing grows.
import { native } from '#lib/native/addon.js';
import { expect } from 'chai';

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

describe('300 semaphores with pending acquires', function () {
  it('are all served, by four threads', async function () {
    const peer = spawnPeer(child('lock-cancel'), { args: ['many'] });
    const { extra, served, left } = await report(peer);
    expect({ served, left }).to.deep.equal({ served: 300, left: 0 });
    // Each thread serves 127, and the first thread was there before. Where a thread tries the semaphores in turn, one
    // is enough.
    expect(extra).to.be.at.most(native.semaphores.waitsForMany ? 3 : 0);
    await peer.succeeded();
  });
});
