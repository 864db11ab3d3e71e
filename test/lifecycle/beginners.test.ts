// SPDX-License-Identifier: MIT
//
// Mistakes of first programs: the message of each error says what to write instead. The messages once listed what there was,
// or called the value out of range.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { ChildProcessError, Connection, Process } from 'node-multiprocessing';

import { instance, packageRoot, rejects, throws } from '../helpers/index.js';
import { RANGE, TYPE } from '../helpers/arguments.js';

describe('The mistake of a beginner', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'beginners-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  function write(name: string, text: string): string {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  }

  async function failure(module: string, target: unknown): Promise<ChildProcessError> {
    const child = new Process({ module, target, stdio: ['ignore', 'inherit', 'ignore'] } as never);
    child.start();
    const error = instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
    expect(error.stage).to.equal('export');
    return error;
  }

  it('of a function written in place gets the advice to export it', async () => {
    const module = write('in-place.mjs', 'export function other() {}');
    expect((await failure(module, { target: () => undefined }.target)).message).to.match(/written in place.*export it/);
    const unnamed = throws(
      () =>
        new Process({
          module,
          target: (
            () => () =>
              undefined
          )(),
        }),
      { code: RANGE },
    );
    expect(unnamed.message).to.include('export function work');
  });

  it('of a function that is not exported, or under another name, gets the advice to export it', async () => {
    const module = write('renamed.mjs', 'function work() {} export { work as job };');
    const { message } = await failure(module, 'work');
    expect(message).to.include('job').and.include('`export`').and.include('the name of its export');
  });

  it('of the default export under its own name gets the name of a default export', async () => {
    const module = write('default.mjs', 'export default function work() {}');
    expect((await failure(module, 'work')).message).to.include("target: 'default'");
    const child = new Process({ module, target: 'default' });
    child.start();
    expect(await child.join()).to.equal(true);
  });

  it('of a relative module gets the two ways to make it absolute', () => {
    for (const module of ['./w.mjs', '../w.mjs', 'w.mjs', 'lib/w.mjs']) {
      const { message } = throws(() => new Process({ module, target: 'work' }), { code: RANGE });
      expect(message).to.include(`import.meta.resolve('${module}')`).and.include(`require.resolve('${module}')`);
    }
    for (const module of ['https://example.org/w.mjs', 'node:fs', '[eval]']) {
      expect(throws(() => new Process({ module, target: 'work' }), { code: RANGE }).message).not.to.include('relative');
    }
  });

  it('of a call before start() is told to start the process', async () => {
    const child = new Process({ module: import.meta.url, target: 'none', name: 'Worker' });
    const { message } = await rejects(child.join(), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(message).to.equal('Worker was not started: call start() before join');
    child.close();
  });

  it('of a helper that was run by hand is told that its parent passes the descriptor', () => {
    const fd = openSync(import.meta.filename, 'r');
    const { message } = throws(() => Connection.fromFd(fd), { code: TYPE });
    closeSync(fd);
    expect(message).to.include('by hand').and.include('stdio');
    expect(throws(() => Connection.fromFd(fd), { code: 'EBADF' }).message).to.include('by hand');
    const helper = write(
      'helper.cjs',
      `require(${JSON.stringify(join(packageRoot, 'dist/cjs/index.js'))}).Connection.fromFd(3)`,
    );
    const { stderr, status } = spawnSync(process.execPath, [helper], { encoding: 'utf8' });
    expect(status).to.equal(1);
    expect(stderr).to.include(TYPE).and.include('by hand');
    const program = spawnSync(process.execPath, [join(packageRoot, 'dist/cjs/child-main.js')], { encoding: 'utf8' });
    expect(program.status).to.equal(1);
    expect(program.stderr).to.include(TYPE).and.include('by hand');
  });
});
