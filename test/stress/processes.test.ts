// SPDX-License-Identifier: MIT
import { expectEndedWell, expectManyAtOnce } from '../lifecycle/support/process-loops.js';
import { expectHygiene } from '../lifecycle/support/inherited-descriptors.js';

describe('Many processes', function () {
  it('leave no descriptor, memory, zombie or name: 500 in sequence', function () {
    return expectEndedWell(500);
  });

  it('leave no descriptor, zombie or name: 50 at once', function () {
    return expectManyAtOnce(50);
  });

  it('pass nothing of 200 siblings and 50 open files to a child', async function () {
    await expectHygiene(200, 50);
  });
});
