// SPDX-License-Identifier: MIT
//
// Processes that fail, at each stage of what they are to do, and processes that cannot be started.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { ChildProcessError, Lock, Pipe, Process, type ProcessOptions, type Target } from 'node-multiprocessing';

import { instance, rejects, spawnPeer, throws, turns } from '../helpers/index.js';
import * as targets from './children/process-targets.js';
import { child as program, limited, report } from './support/programs.js';
import { processOf, startWith, targetsUrl } from './support/processes.js';

type Options = Partial<ProcessOptions<Target>>;

/** Starts a process, and returns the error with which join() rejects and what the process has printed. */
async function failureOf(options: Options): Promise<{ error: ChildProcessError; printed: string; child: Process }> {
  const child = new Process({
    module: targetsUrl,
    target: 'fail',
    stdio: ['ignore', 'inherit', 'pipe'],
    ...options,
  } as never);
  child.start();
  let printed = '';
  child.stderr!.setEncoding('utf8');
  const read = (async () => {
    for await (const text of child.stderr!) printed += text as string;
  })();
  const error = instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
  await read;
  expect(error.pid).to.equal(child.pid);
  expect(error.message).to.include(child.name);
  return { error, printed, child };
}

describe('A Process that fails', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'process-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('with an error: join() rejects with the stack there, which is printed under its name; the exit code is 1', async () => {
    const { error, printed, child } = await failureOf({ name: 'Worker', args: ['on purpose'] });
    expect([error.stage, child.exitcode]).to.deep.equal(['run', 1]);
    expect(error.message).to.include('RangeError: on purpose');
    expect(error.childStack).to.match(/^RangeError: on purpose\n.*process-targets\.js/);
    expect(printed)
      .to.match(/^Process Worker:\n/)
      .and.include('RangeError: on purpose')
      .and.include('process-targets.js');
    // Asked again, it answers again.
    await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' });
    throws(() => child.joinSync(), { code: 'ERR_MP_CHILD_PROCESS' });
  });

  it('with a rejection, later, or with what is no Error, all the same', async () => {
    for (const [options, message] of [
      [{ target: 'rejectLater' }, 'rejected'],
      [{ target: 'failLater' }, 'later'],
      [{ target: 'failWith', args: ['a string'] }, 'a string'],
      [{ target: 'failWith', args: [null] }, 'null'],
      [{ target: 'failWith', args: [{ some: 'object' }] }, 'some'],
      [{ target: 'fail', args: ['long '.repeat(1_000_000)] }, 'long long'],
    ] as [Options, string][]) {
      const { error, child } = await failureOf(options);
      expect([error.stage, child.exitcode]).to.deep.equal(['run', 1]);
      expect(error.message).to.include(message);
    }
  });

  it('has not failed if it has caught the error, or ends by a signal or code of its own', async () => {
    for (const [target, args, code] of [
      ['failAndCatch', [], 0],
      ['exitWith', [7], 7],
    ] as const) {
      const child = new Process({ module: targetsUrl, target, args: [...args] });
      child.start();
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(code);
    }
  });

  it('with a function that is not there: the error lists those that are', async () => {
    const { error } = await failureOf({ target: 'nowhere' });
    expect(error.stage).to.equal('export');
    expect(error.message).to.include('"nowhere"').and.include(targetsUrl).and.include('describeSelf');
    const file = join(folder, 'exports.cjs');
    writeFileSync(file, 'module.exports = { value: 5, run() {} }');
    for (const target of ['value', 'toString']) {
      const inCommonJs = await failureOf({ module: file, target });
      expect(inCommonJs.error.stage).to.equal('export');
      expect(inCommonJs.error.message).to.include(`"${target}"`).and.include('value').and.include('run');
    }
  });

  it('with a module that is missing, or that fails', async () => {
    const missing = await failureOf({ module: join(folder, 'missing.mjs') });
    expect(missing.error.stage).to.equal('import');
    expect(missing.error.message).to.include('missing.mjs');
    const file = join(folder, 'throws.mjs');
    writeFileSync(file, 'throw new TypeError("while loading"); export function fail() {}');
    const { error } = await failureOf({ module: file });
    expect(error.stage).to.equal('import');
    expect(error.childStack).to.include('TypeError: while loading').and.include('throws.mjs');
    const broken = join(folder, 'broken.mjs');
    writeFileSync(broken, 'export function fail( {');
    expect((await failureOf({ module: broken })).error.message).to.include('SyntaxError');
  });

  it('with arguments that it cannot take over', async () => {
    const lock = new Lock();
    const child = processOf(targets.nothing, [lock] as never, { stdio: ['ignore', 'inherit', 'ignore'] });
    // A name that leads nowhere any more, as a clean-up from outside leaves it.
    const name = lock.name;
    const { unlink } = await import('node:fs/promises');
    await unlink(`/dev/shm/sem.${name.slice(1)}`);
    child.start();
    const error = instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
    expect(error.stage).to.equal('attach');
    expect(error.message).to.include('ENOENT');
    expect(child.exitcode).to.equal(1);
    lock.close();
  });

  it('holds nobody up who does not join it', async () => {
    const { child, connection } = startWith(targets.sendAll, [1], { stdio: ['ignore', 'inherit', 'ignore'] });
    const failing = processOf(targets.fail, ['nobody asks'], { stdio: ['ignore', 'inherit', 'ignore'] });
    failing.start();
    expect(await connection.recv()).to.equal(1);
    while (failing.isAlive()) await turns();
    expect(failing.exitcode).to.equal(1);
    await child.join();
  });

  it('is told in a way that fits an idle parent: joinSync() at once', () => {
    const failing = processOf(targets.fail, ['x'.repeat(5_000_000)], { stdio: ['ignore', 'inherit', 'ignore'] });
    failing.start();
    throws(() => failing.joinSync(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'run' });
  });

  it('is killed before it has read what it is to do: no error but its exit code', async () => {
    const child = processOf(targets.nothing, [Buffer.alloc(8 * 1024 * 1024)] as never);
    child.start();
    child.kill();
    expect(await child.join()).to.equal(true);
    expect(child.exitcode).to.equal(-9);
  });
});

describe('A Process that cannot be started', () => {
  it('because of its folder, its program or its options: start() says why, and there is no child', async () => {
    const [a, b] = Pipe();
    for (const [options, expected] of [
      [{ cwd: '/no/such/folder' }, { code: 'ENOENT', syscall: 'chdir' }],
      [{ cwd: '/etc/passwd' }, { code: 'ENOTDIR' }],
      [{ stdio: 'wrong' }, { name: 'TypeError' }],
      [{ args: ['x'.repeat(10), () => 1] }, { code: 'ERR_MP_PICKLING' }],
    ] as [Options, Record<string, string>][]) {
      const child = new Process({ module: targetsUrl, target: 'echo', args: [b], ...options });
      throws(() => child.start(), expected);
      expect([child.pid, child.exitcode, child.isAlive()]).to.deep.equal([null, null, false]);
    }
    const { execPath } = process;
    process.execPath = '/no/such/node';
    try {
      const child = new Process({ module: targetsUrl, target: 'echo', args: [b] });
      throws(() => child.start(), { code: 'ENOENT', syscall: 'spawn' });
      process.execPath = execPath;
      // Nothing has happened to the argument or to the object.
      child.start();
      b.close();
      await a.send('hello');
      expect(await a.recv()).to.equal('hello');
      a.close();
      await child.join();
    } finally {
      process.execPath = execPath;
    }
  });

  it('for want of descriptors: EMFILE, whichever was the last', async () => {
    const peer = spawnPeer(limited(program('process-exhausted'), 80));
    expect(await report(peer)).to.deep.equal({ codes: ['EMFILE'], started: true, left: 0 });
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
  });
});
