// SPDX-License-Identifier: MIT
//
// Regression: where a filter refused a system call with EPERM, as those of containers do, or the kernel did not have
// it, pipes, queues, joinSync(), wait() and sentinels failed. Every call that came late has another way.
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { cPeer, spawnPeer, type Program } from '../helpers/index.js';
import { packageRoot } from '../helpers/environment.js';
import { child } from './support/programs.js';

/** The calls of the package that have another way. */
const ours = ['preadv2', 'pwritev2', 'pidfd_open', 'futex_waitv', 'fallocate'];

/** Calls of Node and of the C library that have another way. glibc takes it for clone3 only if that is missing. */
const others = {
  ENOSYS: ['epoll_pwait2', 'statx', 'close_range', 'clone3'],
  EPERM: ['epoll_pwait2', 'statx', 'close_range'],
};

/** Calls that the package makes directly, and that every kernel with seccomp has. */
const old = ['fstat', 'futex'];

function refusing(code: 'ENOSYS' | 'EPERM', calls: readonly string[]): Program {
  const { command } = cPeer('refuse');
  const { command: node, args } = child('refused-calls');
  const number = String(constants.errno[code]);
  return { language: 'c', label: 'restricted node', command, args: [number, calls.join(','), node, ...args] };
}

describe('Under a filter of system calls', function () {
  before(async function () {
    if (process.platform === 'linux') {
      const { code } = await spawnPeer({ ...refusing('ENOSYS', ['preadv2']), args: ['38', 'preadv2', 'true'] }).exit;
      if (code === 0) return;
    }
    console.log('    skipped: no filter can be installed here');
    this.skip();
  });

  for (const code of ['ENOSYS', 'EPERM'] as const) {
    for (const refused of [...ours.map((call) => [call]), [...ours, ...others[code]]]) {
      it(`everything works if ${code} is the answer to ${refused.join(', ')}`, async () => {
        const peer = spawnPeer(refusing(code, refused));
        expect(await peer.succeeded()).to.equal('done\n');
      });
    }
  }

  // Regression: EPERM was told as a lack of memory, with the advice to give less.
  it('a queue with leases is not supported if memfd_create is refused', async () => {
    for (const code of ['ENOSYS', 'EPERM'] as const) {
      const program = refusing(code, ['memfd_create']);
      const source = `import('node-multiprocessing').then(({ JoinableQueue }) => new JoinableQueue({ leases: true }))
        .catch((error) => console.log(error.code))`;
      const peer = spawnPeer({ ...program, args: [...program.args.slice(0, 3), '-e', source] }, { cwd: packageRoot });
      expect(await peer.succeeded()).to.equal('ERR_MP_NOT_SUPPORTED\n');
    }
  });

  it('no other system call is made directly', () => {
    const sources = readdirSync(join(packageRoot, 'native'), { recursive: true, encoding: 'utf8' });
    const made = new Set<string>();
    for (const file of sources.filter((name) => name.endsWith('.cc') && !name.startsWith('test/'))) {
      const text = readFileSync(join(packageRoot, 'native', file), 'utf8');
      for (const [, call] of text.matchAll(/syscall\(SYS_(\w+)/g)) made.add(call as string);
    }
    expect([...made].filter((call) => !old.includes(call))).to.have.members(
      ours.filter((call) => call !== 'fallocate'),
    );
  });
});
