// SPDX-License-Identifier: MIT
//
// Modules without the guard `isMainProcess` that make more than a Process: each child makes the same again while it imports
// the module of its function.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { packageRoot, spawnPeer } from '../helpers/index.js';

describe('A module without the guard', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'made-at-import-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  function run(program: string): Promise<string> {
    const file = join(folder, 'program.mjs');
    const managers = pathToFileURL(join(packageRoot, 'dist', 'managers.js')).href;
    const index = pathToFileURL(join(packageRoot, 'dist', 'index.js')).href;
    writeFileSync(
      file,
      `import * as mp from '${index}'; import { ManagerServer } from '${managers}';
export function work() { return 5; }
const show = (error) => console.log(error.stage ?? '', error.cause?.code ?? error.code, /isMainProcess/.test(error.message));
${program}`,
    );
    return spawnPeer({ language: 'node', label: 'node', command: process.execPath, args: [file] }).succeeded();
  }

  // Regression: a server that a child makes at its import kept the child alive, and join() waited for ever.
  for (const [title, make] of [
    ['a Listener', 'const made = new mp.Listener(); made.accept().catch(() => {});'],
    ['a ManagerServer', "const made = new ManagerServer({ authkey: Buffer.from('key') });"],
    ['a Listener after an await', 'await 0; const made = new mp.Listener(); made.accept().catch(() => {});'],
  ]) {
    it(`that makes ${title} fails in the first child, which says what to write`, async () => {
      const program = `${make}
if (mp.isMainProcess) {
  const child = new mp.Process({ module: import.meta.url, target: work, stdio: ['ignore', 'inherit', 'ignore'] });
  child.start();
  await child.join().catch(show);
  made.close();
}`;
      expect(await run(program)).to.equal('import ERR_MP_NOT_SUPPORTED true\n');
    });
  }

  it('that makes a pool fails in the first worker, and all tasks with it', async () => {
    const program = `
const pool = new mp.Pool({ module: import.meta.url, target: work, processes: 1 });
await pool.apply([]).catch(show);
await pool.close();`;
    expect(await run(program)).to.match(/^\S* ?ERR_MP_\w+ true\n$/);
  });

  // Regression: each worker started the next process, without end, since it was told nothing of the import.
  it('that makes a worker thread fails in the first child', async () => {
    const program = `
import { isMainThread, Worker } from 'node:worker_threads';
if (isMainThread) new Worker(new URL(import.meta.url));
else {
  const child = new mp.Process({ module: import.meta.url, target: work, stdio: ['ignore', 'inherit', 'ignore'] });
  child.start();
  await child.join().catch(show);
}`;
    expect(await run(program)).to.equal('run ERR_MP_NOT_SUPPORTED true\n');
  });

  it('may start processes in a worker thread of the function', async () => {
    const program = `
import { isMainThread, Worker } from 'node:worker_threads';
export const make = () => new Worker(new URL(import.meta.url));
const run = async (target) => {
  const child = new mp.Process({ module: import.meta.url, target });
  child.start();
  console.log(await child.join(), child.exitcode);
};
if (mp.isMainProcess) await run(make);
else if (!isMainThread) await run(work);`;
    expect(await run(program)).to.equal('true 0\ntrue 0\n');
  });

  it('may make a Listener in the function', async () => {
    const program = `
export function serve() { new mp.Listener().close(); }
if (mp.isMainProcess) {
  const child = new mp.Process({ module: import.meta.url, target: serve });
  child.start();
  console.log(await child.join(), child.exitcode);
}`;
    expect(await run(program)).to.equal('true 0\n');
  });
});
