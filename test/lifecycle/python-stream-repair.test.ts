// SPDX-License-Identifier: MIT
//
// Python members of a queue set right what a Node member has left that was killed while it read several items in one call.
// native/test/stream_test.cc has the same for Node members.
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, pythonPeer, spawnPeer } from '../helpers/index.js';

for (const python of edgePythons()) {
  it(`A reader of many items that is killed at any step loses those that it read (Python ${python.version})`, async () => {
    const records = join(packageRoot, 'lib', 'python', 'records');
    const left = await spawnPeer(pythonPeer(python, 'stream_repair'), { args: [records] }).succeeded();
    const nothingRead = [[10, 70, 40, 20, 50], 0, 0];
    const allRead = [[20, 50], 3, 3];
    expect(JSON.parse(left)).to.deep.equal([nothingRead, nothingRead, allRead, allRead, allRead]);
  });
}
