// SPDX-License-Identifier: MIT
//
// The ends of processes that have arrays over shared memory, in Node and in Python, and of what they have harmed before.
import { spawnSync } from 'node:child_process';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { native } from '#lib/native/addon.js';

import { numpyPythons, packageRoot, rejects } from '../helpers/index.js';
import { blocks, blocksLeft, endOne, ends, startNode, startPython, type Start } from './support/shared-array-ends.js';

const module = join(packageRoot, 'out', 'test', 'peers', 'shared-arrays-peer.js');

const starts: Record<string, Start> = { Node: startNode };
const [python] = numpyPythons();
if (python !== undefined) starts[`Python ${python.version}`] = startPython(python.path);

describe('A member that has shared arrays', () => {
  for (const [language, start] of Object.entries(starts)) {
    it(`in ${language} leaves no block and harms none, however it ends`, async () => {
      await Promise.all(ends.map((how) => endOne(how, start)));
      expect(await blocksLeft()).to.deep.equal([]);
    });
  }

  it('and works in a pool that is terminated leaves no block', async () => {
    const pool = new mp.Pool({ module, target: 'keepSlowly', processes: 1, killTimeout: 100 });
    const array = mp.sharedArray.from(Float64Array.of(1, 1));
    let running: Promise<unknown> | undefined;
    await new Promise<void>((resolve) => {
      const task = pool.apply([array], { onProgress: () => resolve() });
      running = rejects(task, { code: 'ERR_MP_POOL_CLOSED' });
    });
    const queued = rejects(pool.apply([array]), { code: 'ERR_MP_POOL_CLOSED' });
    await pool.terminate();
    await Promise.all([running, queued]);
    await pool.join();
    expect([...array]).to.deep.equal([2, 1]);
    mp.sharedArray.release(array);
    expect(await blocksLeft()).to.deep.equal([]);
  });

  it('and whose file another process shrinks or fills with anything sees other values, and goes on', async () => {
    const [ours, theirs] = mp.Pipe();
    const child = new mp.Process({ module, target: 'suffer', args: [theirs] });
    child.start();
    theirs.close();
    const folder = (native.families.folders() as string[])[0] as string;
    const array = (await ours.recv()) as Float64Array;
    const [file] = blocks();
    mp.sharedArray.release(array);
    const path = join(folder, file as string);
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0xff), { flag: 'r+' });
    await ours.send('look');
    expect(await ours.recv()).to.deep.equal([NaN, NaN]);
    truncateSync(path, 0);
    await ours.send('look');
    expect(await ours.recv()).to.deep.equal([0, 0]);
    await ours.send('end');
    await child.join();
    expect(child.exitcode).to.equal(0);
    ours.close();
    expect(await blocksLeft()).to.deep.equal([]);
  });

  it('cannot have more of them than it may have descriptors', () => {
    const program = `const mp = require('node-multiprocessing');
      const made = [];
      try { for (;;) made.push(mp.sharedArray(Uint8Array, 1)); } catch (error) { console.log(error.code); }`;
    const command = ['-c', 'ulimit -n 64; exec "$0" -e "$1"', process.execPath, program];
    const { stdout } = spawnSync('sh', command, { encoding: 'utf8', cwd: packageRoot });
    expect(stdout.trim()).to.equal('EMFILE');
  });
});
