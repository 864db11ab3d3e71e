// SPDX-License-Identifier: MIT
//
// Python members of a queue set right what a Node member has left that was killed while it read several items in one call, and
// what a Python member has left that was killed while it noted an item. native/test/stream_many_test.cc has the same for Node
// members.
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, pythonPeer, spawnPeer } from '../helpers/index.js';

for (const python of edgePythons()) {
  it(`What a member leaves that is killed at any step is lost and counted (Python ${python.version})`, async () => {
    const records = join(packageRoot, 'lib', 'python', 'records');
    const left = await spawnPeer(pythonPeer(python, 'stream_repair'), { args: [records] }).succeeded();
    const nothingRead = [[10, 70, 40, 20, 50], 0, 0];
    const allRead = [[20, 50], 3, 3];
    const [read, noted] = JSON.parse(left) as [unknown, unknown[]];
    expect(read).to.deep.equal([nothingRead, nothingRead, allRead, allRead, allRead]);
    // Regression: between two words an item was neither accepted nor noted any more.
    expect(noted).to.have.length.above(6);
    for (const counted of noted) expect(counted).to.deep.equal([0, 1, 5]);
  });
}
