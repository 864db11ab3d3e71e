// SPDX-License-Identifier: MIT
//
// Pools and the processes around them: the end of the parent, a process without tasks, children of workers, missing guards,
// systems without semaphores.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { newestPython, packageRoot, spawnPeer, within, type Peer, type Program } from '../helpers/index.js';

function host(...args: string[]): Peer {
  const file = join(packageRoot, 'out', 'test', 'lifecycle', 'children', 'pool-host.js');
  const program: Program = { language: 'node', label: 'pool-host', command: process.execPath, args: [file] };
  return spawnPeer(program, { args: [...args, newestPython().path] });
}

/** Resolves when a process is gone, or is a zombie that its new parent has not reaped. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      if (/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const kind of ['node', 'python']) {
  describe(`The process of a pool (${kind})`, () => {
    it('ends by itself while its pool is open and has no tasks', async () => {
      const peer = host('idle', kind);
      const pid = Number(await peer.line());
      await peer.succeeded();
      expect(peer.stderr).to.equal('');
      await within(30_000, gone(pid), 'the end of the worker');
    });

    it('takes its workers with it when it is killed, also in the middle of a task', async () => {
      const peer = host('busy', kind);
      const pid = Number(await peer.line());
      peer.kill('SIGKILL');
      await peer.exit;
      await within(30_000, gone(pid), 'the end of the worker');
    });

    it('may be a worker of another pool', async () => {
      expect(await host('nested', kind).succeeded()).to.equal('16\n');
    });

    it('gets what listeners throw as uncaught exceptions, and the pool goes on', async () => {
      expect(await host('throwing', kind).succeeded()).to.equal('drain,output,worker\n');
    });

    it('needs no semaphores, and makes none', async () => {
      expect(await host('names', kind).succeeded()).to.equal('[]\n');
    });
  });
}

describe('A module that makes a pool without a guard', () => {
  it('is one error that says what to write', async () => {
    const peer = host('unguarded', 'node');
    expect(await peer.succeeded()).to.include('ERR_MP_CHILD_PROCESS');
    expect(peer.stdout).to.include('isMainProcess');
  });
});
