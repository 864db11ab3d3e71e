// SPDX-License-Identifier: MIT
//
// System calls that fail in the operations of a queue, one after the other. Starting processes is left to the stress tests.
import { expect } from 'chai';

import { expectWholeQueues } from './support/queue-faults.js';

describe('A system call that fails in a queue', function () {
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  // Regression: without a descriptor or a thread for the rest of a large item the queue was broken for all members.
  it('fails that put, or the item arrives; items behind it arrive', async function () {
    const faults = await expectWholeQueues('put');
    expect(faults.join()).to.include('pwritev2').and.to.include('pthread_create 11');
  });

  // Regression: a shortage of memory at the boundary of two items broke the queue for all members.
  it('fails that get, or the item is there; the next get gets it otherwise', async function () {
    const faults = await expectWholeQueues('get');
    expect(faults.join()).to.include('preadv2');
  });

  it('fails the making of a queue, without a trace', async function () {
    const faults = await expectWholeQueues('make');
    expect(faults.join()).to.include('sem_open').and.to.include('pipe2');
  });

  it('fails the attaching of a queue, without harm to the queue', async function () {
    await expectWholeQueues('attach');
  });

  it('changes nothing in the closing of a queue', async function () {
    await expectWholeQueues('close');
  });
});
