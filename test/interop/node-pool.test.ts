// SPDX-License-Identifier: MIT
//
// interop/python/node_multiprocessing.py: Python programs with a pool of Node processes.
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, pythonPeer, spawnPeer } from '../helpers/index.js';

const module = join(packageRoot, 'out', 'test', 'lifecycle', 'children', 'pool-functions.js');

describe('NodePool', () => {
  for (const python of edgePythons()) {
    it(`behaves as an executor of concurrent.futures (Python ${python.version})`, async () => {
      const peer = spawnPeer(pythonPeer(python, 'node_pool'), { args: [module] });
      const output = await peer.succeeded();
      expect(output.trim().split('\n')).to.deep.equal(['results', 'errors', 'deaths', 'ends']);
    });
  }
});
