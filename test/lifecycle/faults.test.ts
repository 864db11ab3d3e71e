// SPDX-License-Identifier: MIT
//
// System calls that fail, one after the other, each with each of its errors. Closing and passing on are left to the stress
// tests.
import { expect } from 'chai';

import { expectHarmlessFaults } from './support/faults.js';

/** What a sanitizer calls in the place of the addon. Only calls of the addon fail. */
const ofSanitizers = process.env['NODE_MULTIPROCESSING_SANITIZER'] === undefined ? [] : ['pthread_create', 'sem_open'];

/** Checks that a call was among those that failed. */
function expectFailed(calls: string, wanted: string): void {
  if (!ofSanitizers.includes(wanted.split(' ')[0] as string)) expect(calls).to.include(wanted);
}

describe('A system call that fails in a queue', function () {
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  // Regression: without a descriptor or a thread for the rest of a large item the queue was broken for all members.
  it('fails that put, or the item arrives; items behind it arrive', async function () {
    const calls = await expectHarmlessFaults('queue-faults', 'put');
    for (const call of ['pwritev2', 'pthread_create 11']) expectFailed(calls, call);
  });

  // Regression: a put that waits for a slot ended the process by an uncaught error.
  it('fails a put that waits, or the item arrives', async function () {
    expect(await expectHarmlessFaults('queue-faults', 'wait')).to.include('epoll_ctl');
  });

  // Regression: a shortage of memory at the boundary of two items broke the queue for all members.
  it('fails that get, or the item is there; the next get gets it otherwise', async function () {
    expect(await expectHarmlessFaults('queue-faults', 'get')).to.include('preadv2');
  });

  // Regression: without memory for the byte that wakes consumers, they slept on beside an item.
  it('does not keep a consumer of a queue with leases asleep', async function () {
    expect(await expectHarmlessFaults('queue-faults', 'leases')).to.include('pwritev2 12');
  });

  it('fails the making of a queue, without a trace', async function () {
    const calls = await expectHarmlessFaults('queue-faults', 'make');
    for (const call of ['sem_open', 'pipe2']) expectFailed(calls, call);
  });

  it('fails the attaching of a queue, without harm to the queue', async function () {
    await expectHarmlessFaults('queue-faults', 'attach');
  });

  it('changes nothing in the shutdown of a queue', async function () {
    await expectHarmlessFaults('queue-faults', 'shutdown');
  });
});

describe('A system call that fails in a lock', function () {
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  for (const scene of ['acquire', 'wait', 'notify', 'event']) {
    it(`leaves the lock as the answer says (${scene})`, async function () {
      await expectHarmlessFaults('lock-faults', scene);
    });
  }
});

describe('A system call that fails while a message is sent', function () {
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  for (const kind of ['socket', 'pipe']) {
    // Regression: after a shortage of memory in the middle of a message the next message was written inside of it.
    it(`fails that send; the peer gets whole messages only (${kind})`, async function () {
      await expectHarmlessFaults('connection-faults', kind);
    });
  }
});
