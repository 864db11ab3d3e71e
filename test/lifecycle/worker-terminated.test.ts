// SPDX-License-Identifier: MIT
//
// Regression: a worker that was terminated while it loaded the addon ended the whole process. Node-API functions fail
// once JavaScript is being ended, and a C++ exception was thrown for that.
import { expect } from 'chai';

import { spawnPeer } from '../helpers/index.js';
import { child } from './support/programs.js';

describe('Worker.terminate', () => {
  for (const [title, stage] of [
    ['while the worker loads the addon', 'load'],
    ['while the worker makes, uses and closes connections, locks and queues', 'use'],
  ] as const) {
    it(`ends the worker and nothing else ${title}, at any instant`, async () => {
      const peer = spawnPeer(child('terminated-worker'), { args: [stage, '60'] });
      expect(await peer.succeeded()).to.equal('done\n');
      expect(peer.stderr).to.equal('');
    });
  }
});
