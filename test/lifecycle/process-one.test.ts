// SPDX-License-Identifier: MIT
//
// Node as process 1, as in a container without an init process. Process 1 inherits the orphans of the container, and Node does
// not reap what it has not started.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { expect } from 'chai';

import { foreignEnv, packageRoot, pythons, spawnPeer } from '../helpers/index.js';
import { child as program } from './support/programs.js';

/** The command that makes a namespace of processes. Its child is process 1 there, and ends with it. */
const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

describe('Node as process 1', function () {
  before(function () {
    if (spawnSync(container[0], [...container.slice(1), 'true'], { env: foreignEnv() }).status === 0) return;
    console.log('    skipped: only root can make a namespace of processes (unshare --pid --mount-proc)');
    this.skip();
  });

  for (const { version, path } of pythons()) {
    // Regression: each Python child that made a lock left a zombie, its resource tracker.
    it(`has no process left when its children have ended (Python ${version})`, async () => {
      const { command, args, ...rest } = program('process-one');
      const host = { ...rest, command: container[0], args: [...container.slice(1), command, ...args] };
      const peer = spawnPeer(host, { args: [path, join(packageRoot, 'test', 'peers')] });
      expect(JSON.parse(await peer.succeeded())).to.deep.equal({
        pid: 1,
        parentPid: 1,
        killed: -9,
        after: { make_names: [], names_of_a_child: [], describeSelf: [], die: [] },
      });
    });
  }
});
