// SPDX-License-Identifier: MIT
//
// Queues that CPython has made, with a C program on the other side: interop/c does what CPython does.
import { expect } from 'chai';

import { cPeer, edgePythons, pythonPeer, pythons, spawnPeer, type Python } from '../helpers/index.js';

async function play(python: Python, ...scenarios: string[]): Promise<void> {
  const peer = spawnPeer(pythonPeer(python, 'queue_host'), { args: [cPeer('queue_worker').command, ...scenarios] });
  expect((await peer.succeeded()).trimEnd().split('\n')).to.deep.equal(scenarios);
}

describe('A queue of CPython that is shared with a C program', function () {
  for (const python of edgePythons()) {
    it(`carries bytes and pickles of every size in both directions (python${python.version})`, async function () {
      await play(python, 'raw', 'objects', 'pickled', 'simple');
    });

    it(`times out, and goes on after signals (python${python.version})`, async function () {
      await play(python, 'timeouts', 'signals');
    });

    it(`counts tasks and wakes join() (python${python.version})`, async function () {
      await play(python, 'joinable');
    });

    it(`goes on when a C program that waits is killed (python${python.version})`, async function () {
      await play(python, 'kills');
    });

    it(`gives every item once to getters of both languages (python${python.version})`, async function () {
      await play(python, 'many');
    });
  }

  for (const python of pythons().filter((each) => !edgePythons().includes(each))) {
    it(`carries objects and counts tasks (python${python.version})`, async function () {
      await play(python, 'objects', 'joinable');
    });
  }
});
