// SPDX-License-Identifier: MIT
//
// Processes that fail, at each stage of their work, and processes that cannot be started.
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

/** Starts a process. Returns the error with which join() rejects, and the process' output. */
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

  it('rejects join() with the stack of the child, prints it under its name, and ends with 1', async () => {
    const { error, printed, child } = await failureOf({ name: 'Worker', args: ['on purpose'] });
    expect([error.stage, child.exitcode]).to.deep.equal(['run', 1]);
    expect(error.message).to.include('RangeError: on purpose');
    expect(error.childStack).to.match(/^RangeError: on purpose\n.*process-targets\.js/);
    expect(printed)
      .to.match(/^Process Worker:\n/)
      .and.include('RangeError: on purpose')
      .and.include('process-targets.js');
    // A second join() rejects in the same way.
    await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' });
    throws(() => child.joinSync(), { code: 'ERR_MP_CHILD_PROCESS' });
  });

  it('rejects join() also for a rejection, a later error, and a value that is no Error', async () => {
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

  it('has not failed if it catches the error, or if the program sets the exit code', async () => {
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

  it('rejects join() with the names of the exports if its function does not exist', async () => {
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

  it('rejects join() if its module is missing or throws', async () => {
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

  it('rejects join() if it cannot attach its arguments', async () => {
    const lock = new Lock();
    const child = processOf(targets.nothing, [lock] as never, { stdio: ['ignore', 'inherit', 'ignore'] });
    // The name no longer leads anywhere, as after a clean-up from outside.
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

  it('holds up no parent that does not join it', async () => {
    const { child, connection } = startWith(targets.sendAll, [1], { stdio: ['ignore', 'inherit', 'ignore'] });
    const failing = processOf(targets.fail, ['not joined'], { stdio: ['ignore', 'inherit', 'ignore'] });
    failing.start();
    expect(await connection.recv()).to.equal(1);
    while (failing.isAlive()) await turns();
    expect(failing.exitcode).to.equal(1);
    await child.join();
  });

  it('rejects joinSync() at once, without a turn of the event loop', () => {
    const failing = processOf(targets.fail, ['x'.repeat(5_000_000)], { stdio: ['ignore', 'inherit', 'ignore'] });
    failing.start();
    throws(() => failing.joinSync(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'run' });
  });

  // Regression: Node knows no names of real-time signals, and reports exit code 0.
  it('has the number of each signal that ends it', async () => {
    for (const signal of [1, 11, 31, 34, 35, 50, 64]) {
      const start = (): Process => {
        const child = processOf(targets.killSelf, [signal as never], { stdio: ['ignore', 'inherit', 'ignore'] });
        child.start();
        return child;
      };
      const [awaited, blocking, unjoined] = [start(), start(), start()];
      expect([await awaited.join(), awaited.exitcode]).to.deep.equal([true, -signal]);
      expect([blocking.joinSync(), blocking.exitcode]).to.deep.equal([true, -signal]);
      while (unjoined.isAlive()) await turns();
      expect(unjoined.exitcode).to.equal(-signal);
    }
  });

  it('has only its exit code if it is killed before it has read its arguments', async () => {
    const child = processOf(targets.nothing, [Buffer.alloc(8 * 1024 * 1024)] as never);
    child.start();
    child.kill();
    expect(await child.join()).to.equal(true);
    expect(child.exitcode).to.equal(-9);
  });
});

describe('A Process that cannot be started', () => {
  it('throws the reason from start() for a bad folder, program or option, and leaves no child', async () => {
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
      // The argument and the object are unchanged.
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

  it('throws EMFILE without free descriptors, whichever is the missing one', async () => {
    const peer = spawnPeer(limited(program('process-exhausted'), 80));
    expect(await report(peer)).to.deep.equal({ codes: ['EMFILE'], started: true, left: 0 });
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
  });
});
