// SPDX-License-Identifier: MIT
//
// interop/python/node_multiprocessing.py: Python programs that start Node processes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, pythonPeer, spawnPeer, type Peer, type Python } from '../helpers/index.js';

const module = join(packageRoot, 'out', 'test', 'peers', 'node-children.js');

function run(python: Python, scenario: string): Peer {
  return spawnPeer(pythonPeer(python, 'node_parent'), { args: [module, scenario] });
}

/** Resolves when a process has ended. The test's own time limit is the watchdog. */
async function gone(pid: string): Promise<void> {
  for (;;) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      if (/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('NodeProcess', function () {
  for (const python of edgePythons()) {
    it(`behaves as any Process of multiprocessing (Python ${python.version})`, async () => {
      const output = await run(python, 'all_checks').succeeded();
      const checks = ['arguments', 'large arguments', 'states', 'ends', 'refusals', 'package', 'forked'];
      expect(output.trim().split('\n')).to.deep.equal(checks);
    });

    it(`is terminated at the end of its parent if it is daemonic (Python ${python.version})`, async () => {
      const output = await run(python, 'daemons').succeeded();
      await gone(output.trim());
    });

    it(`ends with a killed parent if it is daemonic (Python ${python.version})`, async () => {
      const peer = run(python, 'orphans');
      const [daemon, ...forks] = (await peer.line()).split(' ') as [string, ...string[]];
      peer.kill();
      // Regression: a process that the parent had forked kept the daemon's channel to its parent open.
      await gone(daemon);
      for (const pid of forks) {
        process.kill(Number(pid), 'SIGKILL');
        await gone(pid);
      }
      await peer.exit;
    });
  }
});
