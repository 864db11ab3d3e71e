// SPDX-License-Identifier: MIT
import { expectHarmlessFaults } from '../lifecycle/support/faults.js';

describe('Each system call that fails in closing a queue', function () {
  it('leaves nothing behind', async function () {
    await expectHarmlessFaults('queue-faults', 'close');
  });
});

describe('Each system call that fails in passing a queue on', function () {
  it('leaves the queue as before, or the child works', async function () {
    await expectHarmlessFaults('queue-faults', 'pass');
  });
});
