// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { spawnPeer } from '../helpers/index.js';
import { child } from './support/programs.js';

describe('Many workers', function () {
  it('load the addon, exchange messages and end: 20 at once, 5 times', async function () {
    const peer = spawnPeer(child('many-workers'), { args: ['4', '20'], watchdogMs: 110_000 });
    expect(await peer.succeeded()).to.equal('done');
    expect(peer.stderr).to.equal('');
  }).timeout(120_000);
});
