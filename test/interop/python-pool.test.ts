// SPDX-License-Identifier: MIT
//
// What is particular to pools of Python: the values, the interpreter, signals, forks and what functions do to their process.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Lock, pickle, PythonPool, RemoteError, tuple, type ChildProcessError } from 'node-multiprocessing';

import { edgePythons, foreignEnv, instance, newestPython, packageRoot, rejects, within } from '../helpers/index.js';
import { endPools, Lines, pythonKind, pythonOnly, workerEvent } from '../lifecycle/support/pools.js';

for (const { version, path } of edgePythons()) {
  const kind = pythonKind(version, path);
  const at = (name: string): { target: string } => ({ target: kind.target(name) });

  describe(`PythonPool, Python ${version}`, () => {
    afterEach(endPools);

    it('passes keyword arguments, and values as pickles do', async () => {
      const pool = new PythonPool({
        ...at(pythonOnly('keywords')),
        python: path,
        pythonPath: join(packageRoot, 'test', 'peers'),
      });
      try {
        expect(await pool.apply([1, tuple(2n ** 70n)], { kwargs: { key: new Date(5) } })).to.deep.equal([
          [1, [2n ** 70n]],
          { key: new Date(5) },
        ]);
        const items = pool.stream([2], { ...at('count'), kwargs: {} });
        expect((await items.next()).value).to.equal(0);
        await items.return();
      } finally {
        await pool.terminate();
      }
    });

    it('tells nothing of a task that has ended', async () => {
      const pool = kind.make('report_late', { processes: 1 });
      const seen: number[] = [];
      const onProgress = (done: number): void => void seen.push(done);
      await pool.apply([], { onProgress });
      expect(await pool.apply([], at('release_late'))).to.equal(1);
      expect(seen).to.deep.equal([]);
    });

    it('carries arrays of numpy, if it is installed', async () => {
      const { status } = spawnSync(path, ['-c', 'import numpy'], { env: foreignEnv() });
      const pool = kind.make('numpy:sort');
      const numbers = pickle.ndarray(Float64Array.of(3, 1, 2), [3]);
      if (status !== 0) await rejects(pool.apply([numbers]), { code: 'ERR_MP_CHILD_PROCESS' });
      else expect([...((await pool.apply([numbers])) as Float64Array)]).to.deep.equal([1, 2, 3]);
    });

    it('has the argv of the module, and the class of a Process of multiprocessing that may have children', async () => {
      const pool = kind.make(pythonOnly('module_argv'), { processes: 1 });
      expect(await pool.apply([])).to.deep.equal(['python_functions']);
      expect(await within(60_000, pool.apply([], at(pythonOnly('nested'))), 'a pool in a worker')).to.equal(7);
    });

    it('keeps a process that a function has forked away from the pool', async () => {
      const pool = kind.make(pythonOnly('fork_and_return'), { processes: 1 });
      for (let i = 0; i < 3; i++) {
        expect(await pool.apply([])).to.equal('parent');
        expect(await pool.apply([], at(pythonOnly('fork_and_raise')))).to.equal('parent');
      }
      expect(pool.stats().done).to.equal(6);
    });

    it('treats a StopIteration of the function as its error, also in map', async () => {
      // Regression guard: CPython's Pool.map drops the results after it.
      const call = kind.make(pythonOnly('stop_iteration')).map([1, 2, 3, 4], { chunksize: 4 });
      await rejects(call, { code: 'ERR_MP_REMOTE', type: 'StopIteration' });
    });

    it('treats sys.exit() and a KeyboardInterrupt of the function as its errors, and the worker lives on', async () => {
      const pool = kind.make('pid', { processes: 1 });
      const pid = await pool.apply([]);
      await rejects(pool.apply([], at(pythonOnly('system_exit'))), { code: 'ERR_MP_REMOTE', type: 'SystemExit' });
      await rejects(pool.apply([], at(pythonOnly('own_interrupt'))), {
        code: 'ERR_MP_REMOTE',
        type: 'KeyboardInterrupt',
      });
      expect(await pool.apply([])).to.equal(pid);
    });

    it('is not interrupted by a SIGINT that the pool has not named a task for', async () => {
      const pool = kind.make(pythonOnly('send_interrupt'), { processes: 1 });
      expect(await pool.apply([])).to.equal('not interrupted');
      process.kill(pool.stats().workers[0]!.pid, 'SIGINT');
      expect(await pool.apply([])).to.equal('not interrupted');
    });

    it('cancels a coroutine with its finally, in the loop of asyncio', async () => {
      const pool = kind.make(pythonOnly('clean_up_async'), { processes: 1, killTimeout: 60_000 });
      const lines = new Lines(pool);
      const pids = new Set<number>();
      // Regression: a signal between the end of Python's code and the system call that waits was lost.
      for (let i = 0; i < 30; i++) {
        const abort = new AbortController();
        const call = pool.apply([], { signal: abort.signal });
        pids.add((await lines.next(/^begun/)).pid);
        abort.abort();
        await rejects(call, { code: 'ABORT_ERR' });
        await lines.next(/^given up$/);
      }
      expect(pids.add(await pool.apply([], at('pid'))).size).to.equal(1);
    });

    it('interrupts a task again whose interrupt came in a destructor, where Python drops it', async () => {
      const pool = kind.make(pythonOnly('interrupted_in_destructor'), { processes: 1, killTimeout: 60_000 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const call = pool.apply([], { signal: abort.signal });
      await lines.next(/^begun/);
      abort.abort();
      await rejects(call, { code: 'ABORT_ERR' });
      await lines.next(/^given up$/);
    });

    it('interrupts the named task only: a task that ends by itself at that moment leaves the next one alone', async () => {
      const pool = kind.make('echo', { processes: 1, killTimeout: 60_000 });
      await pool.ready();
      for (let i = 0; i < 100; i++) {
        const abort = new AbortController();
        const call = pool.apply([i], { signal: abort.signal });
        // Somewhere between the dispatch and the result.
        for (let turn = i % 4; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
        abort.abort();
        await call.catch((error: unknown) => expect(error).to.have.property('code', 'ABORT_ERR'));
        expect(await within(60_000, pool.apply([[i]]), 'the next task')).to.deep.equal([i]);
      }
      expect(pool.stats().workers[0]!.tasks).to.be.at.least(100);
    });

    it('works on when a function closes the standard streams', async () => {
      const pool = kind.make(pythonOnly('close_streams'), { processes: 1 });
      expect(await pool.apply([])).to.equal('closed');
      expect(await pool.apply([])).to.equal('closed');
    });

    it('replaces a worker whose function closes its descriptors', async () => {
      const pool = kind.make(pythonOnly('close_descriptors'), { processes: 1, killTimeout: 200 });
      await rejects(pool.apply([]), { code: 'ERR_MP_WORKER_DIED' });
      expect(await pool.apply([5], at('echo'))).to.equal(5);
    });

    it('fails a task whose result is of a class that is not known here, and takes its error in words', async () => {
      const pool = kind.make(pythonOnly('unknown_class'), { processes: 1 });
      await rejects(pool.apply([]), { code: 'ERR_MP_UNPICKLING' });
      const error = instance(await rejects(pool.apply([], at('unsendable')), { code: 'ERR_MP_REMOTE' }), RemoteError);
      expect(error.type).to.equal('multiprocessing.pool.MaybeEncodingError');
      expect(pool.stats().workers[0]!.tasks).to.equal(2);
    });

    it('fails a task whose arguments cannot be unpickled there, and the worker lives on', async () => {
      const pool = kind.make('echo', { processes: 1 });
      const missing = new pickle.PythonGlobal('no_such_module', 'Class');
      const error = await rejects(pool.apply([missing]), { code: 'ERR_MP_REMOTE' });
      expect(error).to.have.property('type', 'ModuleNotFoundError');
      expect(await pool.apply([1])).to.equal(1);
      expect(pool.stats().workers[0]!.tasks).to.equal(2);
    });

    it('passes locks and queues to the initializer', async () => {
      const lock = new Lock();
      const pool = kind.make('get_initialized', { initializer: 'initialize', initargs: [lock] });
      await pool.ready();
      expect(await lock.acquire({ block: false })).to.equal(true);
      lock.release();
      await pool.close();
      lock.close();
    });

    it('survives a replacement while another task is running', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 2 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const call = pool.apply([], { signal: abort.signal });
      await lines.next(/^begun/);
      const replaced = workerEvent(pool, 'ended');
      await rejects(pool.apply([], at('kill_self')), { code: 'ERR_MP_WORKER_DIED' });
      await replaced;
      abort.abort();
      await rejects(call, { code: 'ABORT_ERR' });
      expect(await pool.apply([1], at('echo'))).to.equal(1);
    });
  });
}

describe('The interpreter of a PythonPool', () => {
  it('is reported with the place that named it if it does not exist', () => {
    const missing = (options: object): Error => {
      try {
        new PythonPool({ target: 'math:sqrt', ...options });
      } catch (error) {
        return error as Error;
      }
      throw new Error('it was started');
    };
    expect(missing({ python: '/no/such/python' })).to.include({ code: 'ENOENT' });
    expect(missing({ python: '/no/such/python' }).message).to.include('the option python');
    const env = { PATH: '/no/such/folder' };
    const { message } = missing({ env });
    for (const tried of ['python3', 'PYTHON', 'VIRTUAL_ENV', '.venv']) expect(message).to.include(tried);
  });

  it('is that of the folder .venv of the working directory, if nothing else names one', async () => {
    const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'mp-venv-')));
    const bin = join(cwd, '.venv', 'bin');
    mkdirSync(bin, { recursive: true });
    const marker = join(cwd, 'used');
    writeFileSync(join(bin, 'python'), `#!/bin/sh\ntouch '${marker}'\nexec '${newestPython().path}' "$@"\n`);
    chmodSync(join(bin, 'python'), 0o755);
    const env = foreignEnv();
    delete env['PYTHON'];
    delete env['VIRTUAL_ENV'];
    const pool = new PythonPool({ target: 'os.path:exists', cwd, env, processes: 1 });
    expect(await pool.apply([marker])).to.equal(true);
    await pool.close();
    rmSync(cwd, { recursive: true });
  });

  it('explains a module that is not found by the folders that were searched', async () => {
    const pool = new PythonPool({ target: 'no_such_module:f', python: newestPython().path, processes: 1 });
    const error = (await rejects(pool.ready(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'import' })) as ChildProcessError;
    expect(error.message).to.include('no_such_module').and.to.include('pythonPath');
    await pool.terminate();
  });
});
