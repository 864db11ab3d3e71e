// SPDX-License-Identifier: MIT
import { expectWholeQueues } from '../lifecycle/support/queue-faults.js';

describe('Each system call of a queue that fails', function () {
  for (const scene of ['put', 'get', 'make', 'attach', 'close', 'pass']) {
    it(`leaves the queue as before, or the operation complete (${scene})`, async function () {
      await expectWholeQueues(scene);
    });
  }
});
