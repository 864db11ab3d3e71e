// SPDX-License-Identifier: MIT
//
// Mistakes of first programs: the message of each error says what to write instead. The messages once listed what there was,
// or called the value out of range.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import {
  attach,
  ChildProcessError,
  Client,
  Connection,
  Lock,
  pickle,
  Pipe,
  Pool,
  Process,
  PythonPool,
  Queue,
  sharedArray,
  SharedMemory,
} from 'node-multiprocessing';

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

  // Regression: these said no more than "options must be an object", or "0 is not an option".
  it("of arguments by position, as in Python, gets the option's name", async () => {
    const lock = new Lock();
    const queue = new Queue();
    const says = async (call: () => unknown, ...parts: string[]): Promise<void> => {
      const error = await rejects(new Promise((resolve) => resolve(call())), { code: TYPE });
      for (const part of parts) expect(error.message).to.include(part);
    };
    await says(() => lock.acquire(false as never), 'write { block: false }');
    await says(() => queue.get(5 as never), 'write { timeout: 5 }');
    await says(() => new Process((() => undefined) as never), 'module', 'target', 'args');
    await says(() => new Process({ module: import.meta.url } as never), 'target', 'export');
    await says(() => new Pool(4 as never), 'write { processes: 4 }');
    await says(() => Pipe({ serialization: 'pickle' } as never), 'Pipe(true, options)');
    const pool = new PythonPool({ target: 'math:sqrt', minProcesses: 0 });
    const sqrt = (() => undefined) as never;
    await says(() => pool.apply(sqrt, [1] as never), 'args', 'option target');
    await says(() => pool.map(sqrt, [1] as never), 'items', 'option target');
    await says(() => pool.starmap([1] as never), 'starmap([[1, 2]])');
    await says(() => pool.apply([1], [1] as never), 'must be an object');
    await pool.terminate();
    lock.close();
    queue.close();
  });

  // Regression: "could not be cloned", and no word of await.
  it('of a promise that is not awaited is told to await it', async () => {
    const queue = new Queue();
    const pending = Promise.resolve(1);
    const { message } = await rejects(queue.put({ jobs: [pending] }), { code: 'ERR_MP_PICKLING' });
    expect(message).to.equal('value.jobs[0] is a Promise: await it first');
    queue.close();
    expect(throws(() => pickle.dumps([pending]), { code: 'ERR_MP_PICKLING' }).message).to.include('await it');
  });

  // Regression: 'localhost:5000' was a socket's file in the working directory.
  it('of a value of another form gets the form', async () => {
    const { message } = await rejects(Client('localhost:5000'), { code: RANGE });
    expect(message).to.include("['localhost', 5000]");
    const [end, other] = Pipe();
    expect((await rejects(end.sendBytes('text' as never), { code: TYPE })).message).to.include('Buffer.from(');
    end.close();
    other.close();
    expect(throws(() => sharedArray([2] as never, 3), { code: TYPE }).message).to.include('sharedArray(Float64Array');
    expect(throws(() => new SharedMemory({ name: '/dev/shm/x' }), { code: RANGE }).message).to.include('not a path');
    expect(throws(() => attach({} as never), { code: TYPE }).message).to.include('describe()');
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
