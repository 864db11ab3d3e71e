// SPDX-License-Identifier: MIT
//
// Queues that CPython has made, with a C program on the other side: what interop/c does is what CPython does.
import { expect } from 'chai';

import { cPeer, edgePythons, pythonPeer, pythons, spawnPeer, type Python } from '../helpers/index.js';

async function play(python: Python, ...scenarios: string[]): Promise<void> {
  const peer = spawnPeer(pythonPeer(python, 'queue_host'), { args: [cPeer('queue_worker').command, ...scenarios] });
  expect((await peer.succeeded()).trimEnd().split('\n')).to.deep.equal(scenarios);
}

describe('A queue of CPython shared with a C program', function () {
  for (const python of edgePythons()) {
    it(`python${python.version}: carries bytes and pickles of every size both ways`, async function () {
      await play(python, 'raw', 'objects', 'pickled', 'simple');
    });

    it(`python${python.version}: times out, and is not disturbed by signals`, async function () {
      await play(python, 'timeouts', 'signals');
    });

    it(`python${python.version}: counts tasks and wakes join()`, async function () {
      await play(python, 'joinable');
    });

    it(`python${python.version}: goes on when a C program that waits is killed`, async function () {
      await play(python, 'kills');
    });

    it(`python${python.version}: has getters of both languages, and every item once`, async function () {
      await play(python, 'many');
    });
  }

  for (const python of pythons().filter((each) => !edgePythons().includes(each))) {
    it(`python${python.version}: carries objects and counts tasks`, async function () {
      await play(python, 'objects', 'joinable');
    });
  }
});
