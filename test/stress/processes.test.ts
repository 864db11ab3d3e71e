// SPDX-License-Identifier: MIT
import { expectEndedWell, expectManyAtOnce } from '../lifecycle/support/process-loops.js';
import { expectHygiene } from '../lifecycle/support/process-hygiene.js';

describe('Many processes', function () {
  it('500 in sequence leave no descriptor, memory, zombie or name', function () {
    return expectEndedWell(500);
  });

  it('50 at once leave no descriptor, zombie or name', function () {
    return expectManyAtOnce(50);
  });

  it('200 siblings and 50 open files are nothing to a child', async function () {
    await expectHygiene(200, 50);
  });
});
