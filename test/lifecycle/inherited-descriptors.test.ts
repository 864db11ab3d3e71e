// SPDX-License-Identifier: MIT
//
// What a child holds of the operating system: what an empty child holds, and what was listed for it.
import { expect } from 'chai';

import { expectHygiene } from './support/inherited-descriptors.js';

describe('A child', function () {
  this.timeout(170_000);

  it('TestCloseFds.test_closefd and _TestProcess.test_child_fd_inflation: holds what was listed for it, whatever the parent has', async () => {
    const { inflation } = await expectHygiene(10, 50);
    expect(inflation).to.equal(0);
  });
});
