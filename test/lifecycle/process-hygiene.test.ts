// SPDX-License-Identifier: MIT
//
// What a child holds of the operating system: what an empty one holds, and what was listed for it.
import { expect } from 'chai';

import { expectHygiene } from './support/process-hygiene.js';

describe('What a child has', function () {
  this.timeout(170_000);

  it('TestCloseFds.test_closefd and _TestProcess.test_child_fd_inflation: is what it was given, whatever there is besides', async () => {
    const { inflation } = await expectHygiene(10, 50);
    expect(inflation).to.equal(0);
  });
});
