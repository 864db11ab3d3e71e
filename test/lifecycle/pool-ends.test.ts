// SPDX-License-Identifier: MIT
//
// How tasks, workers and pools end: deaths, time limits, aborts, replacement, recycling, close and terminate.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { WorkerDied, type ChildProcessError } from 'node-multiprocessing';

import { instance, rejects, within } from '../helpers/index.js';
import { endPools, kinds, Lines, workerEvent } from './support/pools.js';

for (const kind of kinds) {
  describe(`Ends of tasks and workers of a ${kind.name}`, () => {
    afterEach(endPools);

    it('a worker that ends in a task fails that task alone, and is replaced', async () => {
      const pool = kind.make('exit_with', { processes: 2 });
      const other = pool.apply([1, 2], { target: kind.target('add_async') });
      const error = instance(await rejects(pool.apply([3]), { code: 'ERR_MP_WORKER_DIED' }), WorkerDied);
      expect(error).to.include({ exitCode: 3, signal: null, attempt: 1, task: 2 });
      expect(error.stderrTail).to.include('last words');
      expect(await other).to.equal(3);
      await pool.ready();
      expect(pool.stats().workers).to.have.length(2);
    });

    it('a worker that is killed in a task is reported with its signal', async () => {
      const pool = kind.make('kill_self');
      await rejects(pool.apply([]), { code: 'ERR_MP_WORKER_DIED', signal: 'SIGKILL', exitCode: null });
      // A real-time signal has no name in Node, which reports exit code 0.
      await rejects(pool.apply([40]), { code: 'ERR_MP_WORKER_DIED', signal: 'signal 40', exitCode: null });
      expect(await pool.apply([1, 2], { target: kind.target('add') })).to.equal(3);
    });

    it('a task of a worker that dies is repeated as often as retries say, and then fails', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mp-pool-'));
      const pool = kind.make('die_once', { retries: 2 });
      expect(await pool.apply([join(folder, 'died')])).to.equal(2);
      const error = await rejects(pool.apply([], { target: kind.target('kill_self') }), { code: 'ERR_MP_WORKER_DIED' });
      expect(error).to.include({ attempt: 3 });
      expect(pool.stats().retried).to.equal(3);
      rmSync(folder, { recursive: true });
    });

    it('an error of the function is not repeated', async () => {
      const pool = kind.make('fail', { retries: 5 });
      await rejects(pool.apply(['once']), { code: 'ERR_MP_REMOTE' });
      expect(pool.stats().retried).to.equal(0);
    });

    it('a worker that is killed while it is idle fails no task', async () => {
      const pool = kind.make('pid', { processes: 1 });
      const pid = await pool.apply([]);
      process.kill(pid, 'SIGKILL');
      // The task may be sent before the end of the worker is known.
      expect(await within(60_000, pool.apply([]), 'the next task')).to.not.equal(pid);
    });

    it('a worker that dies before it has read its task does not fail the task', async () => {
      const pool = kind.make('pid', { processes: 1 });
      const pid = await pool.apply([]);
      process.kill(pid, 'SIGSTOP');
      const stopped = `until grep -q 'State:.T' /proc/${pid}/status; do sleep 0.01; done`;
      execFileSync('sh', ['-c', stopped], { timeout: 60_000 });
      const call = pool.apply([]);
      process.kill(pid, 'SIGKILL');
      expect(await within(60_000, call, 'the task')).to.not.equal(pid);
      expect(pool.stats()).to.include({ failed: 0, retried: 0 });
    });

    it('a worker that dies in a chunk fails or repeats that chunk alone, and no chunk that it has not begun', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mp-pool-'));
      const items = (file: string): string[] => Array.from({ length: 400 }, (_, i) => (i === 201 ? file : folder));
      const pool = kind.make('die_once', { processes: 2 });
      const results = await pool.map(items(join(folder, 'repeated')), { chunksize: 2, retries: 1 });
      // In Node the function returns the number of the attempt, in Python a constant.
      const isRepeated = (_: unknown, i: number): number => (kind.isPython || i === 200 || i === 201 ? 2 : 1);
      expect(results).to.deep.equal(Array.from({ length: 400 }, isRepeated));
      expect(pool.stats()).to.include({ done: 200, failed: 0, retried: 1 });
      const failing = pool.map(items(join(folder, 'failed')), { chunksize: 2 });
      await rejects(failing, { code: 'ERR_MP_WORKER_DIED', signal: 'SIGKILL' });
      rmSync(folder, { recursive: true });
    });

    it('a task that times out frees its worker, which keeps what it has loaded', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1, killTimeout: 60_000 });
      const lines = new Lines(pool);
      const pid = await pool.apply([], { target: kind.target('pid') });
      const call = pool.apply([], { timeout: 50 });
      await rejects(call, { code: 'ERR_MP_TASK_TIMEOUT', phase: 'running' });
      expect(await pool.apply([], { target: kind.target('pid') })).to.equal(pid);
      await lines.next(/^given up$/);
    });

    it('a task that does not give up is killed with its worker, and the next task gets another worker', async () => {
      const pool = kind.make('ignore_cancel', { processes: 1, killTimeout: 50 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const call = pool.apply([], { signal: abort.signal });
      const begun = await lines.next(/^begun/);
      abort.abort(new Error('enough'));
      const error = await rejects(call, { name: 'AbortError', code: 'ABORT_ERR' });
      expect(error.cause).to.have.property('message', 'enough');
      expect(await pool.apply([], { target: kind.target('pid') })).to.not.equal(begun.pid);
    });

    it('a task that is aborted before a worker has begun it never runs', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1 });
      const lines = new Lines(pool);
      const first = new AbortController();
      const running = pool.apply([], { signal: first.signal });
      await lines.next(/^begun/);
      const second = new AbortController();
      const queued = pool.apply([], { signal: second.signal });
      expect(pool.stats().queued).to.equal(1);
      second.abort();
      await rejects(queued, { code: 'ABORT_ERR' });
      expect(pool.stats()).to.include({ queued: 0, running: 1 });
      first.abort();
      await rejects(running, { code: 'ABORT_ERR' });
      expect(await pool.apply([1, 1], { target: kind.target('add') })).to.equal(2);
      expect(pool.stats().workers[0]!.tasks).to.equal(2);
    });

    it('a signal that has aborted already is an AbortError at once', async () => {
      const pool = kind.make('echo');
      await rejects(pool.apply([1], { signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
    });

    it('an abort at the moment of the dispatch reaches the task', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1, killTimeout: 60_000 });
      await pool.ready();
      for (let i = 0; i < 5; i++) {
        const abort = new AbortController();
        const call = pool.apply([], { signal: abort.signal });
        abort.abort();
        await rejects(call, { code: 'ABORT_ERR' });
      }
      const pid = pool.stats().workers[0]!.pid;
      expect(await within(30_000, pool.apply([], { target: kind.target('pid') }), 'the next task')).to.equal(pid);
    });

    it('a task that waits longer than queueTimeout fails', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const running = pool.apply([], { signal: abort.signal });
      await lines.next(/^begun/);
      await rejects(pool.apply([], { queueTimeout: 20 }), { code: 'ERR_MP_TASK_TIMEOUT', phase: 'queued' });
      abort.abort();
      await rejects(running, { code: 'ABORT_ERR' });
    });

    it('more tasks than maxQueue are refused, and drain says when there is room', async () => {
      const pool = kind.make('wait_until_cancelled', { processes: 1, maxQueue: 1 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const running = pool.apply([], { signal: abort.signal });
      await lines.next(/^begun/);
      const queued = pool.apply([1, 2], { target: kind.target('add') });
      await rejects(pool.apply([]), { code: 'ERR_MP_POOL_SATURATED', maxQueue: 1 });
      const drained = new Promise<void>((resolve) => pool.once('drain', resolve));
      abort.abort();
      await rejects(running, { code: 'ABORT_ERR' });
      await within(60_000, drained, 'drain');
      expect(await queued).to.equal(3);
    });

    it('a stream ends with the abort, the death, or the time limit of an item', async () => {
      const pool = kind.make('one_and_wait', { processes: 1 });
      const lines = new Lines(pool);
      const abort = new AbortController();
      const aborted = pool.stream([], { signal: abort.signal });
      await aborted.next();
      const next = aborted.next();
      await lines.next(/^begun/);
      abort.abort();
      await rejects(next, { code: 'ABORT_ERR' });
      await lines.next(/^given up$/);

      const late = pool.stream([], { timeout: 2000 });
      await late.next();
      await rejects(late.next(), { code: 'ERR_MP_TASK_TIMEOUT', phase: 'running' });
      await lines.next(/^given up$/);

      const dying = pool.stream([]);
      await dying.next();
      await lines.next(/^begun/);
      await lines.next(/^begun/);
      process.kill(pool.stats().workers[0]!.pid, 'SIGKILL');
      await rejects(dying.next(), { code: 'ERR_MP_WORKER_DIED' });
    });

    it('a worker whose child holds its streams is noticed all the same', async () => {
      const pool = kind.make('leave_child', { processes: 1 });
      const lines = new Lines(pool);
      await rejects(within(30_000, pool.apply([]), 'the end'), { code: 'ERR_MP_WORKER_DIED' });
      const { line } = await lines.next(/^child/);
      process.kill(Number(line.split(' ')[1]), 'SIGKILL');
    });

    it('workers are replaced after maxTasksPerChild tasks', async () => {
      const pool = kind.make('pid', { processes: 1, maxTasksPerChild: 2 });
      const pids: number[] = [];
      for (let i = 0; i < 6; i++) pids.push(await pool.apply([]));
      expect(pids[0]).to.equal(pids[1]);
      expect(pids[2]).to.equal(pids[3]);
      expect(new Set(pids).size).to.equal(3);
    });

    it('a worker that has grown beyond maxRss is replaced', async () => {
      const pool = kind.make('grow', { processes: 1, maxRss: 300 * 2 ** 20 });
      const first = await pool.apply([1]);
      expect(await pool.apply([320])).to.equal(first);
      expect(await pool.apply([1])).to.not.equal(first);
    });

    it('workers are started when tasks wait, and end when they are idle', async () => {
      const pool = kind.make('pid', { processes: 2, minProcesses: 0, idleTimeout: 10 });
      await pool.ready();
      expect(pool.stats().workers).to.deep.equal([]);
      const ended = workerEvent(pool, 'ended');
      expect(await pool.apply([])).to.be.a('number');
      await ended;
      expect(await pool.apply([])).to.be.a('number');
    });

    it('each worker has its name, its environment and what the initializer has done', async () => {
      const env = (index: number): NodeJS.ProcessEnv => ({ ...process.env, WORKER_INDEX: String(index) });
      const pool = kind.make('get_initialized', {
        ...{ processes: 1, name: 'crew', env },
        ...{ initializer: 'initialize', initargs: [['a', 1]] },
      });
      expect(await pool.apply([])).to.deep.equal(['a', 1]);
      expect(await pool.apply(['WORKER_INDEX'], { target: kind.target('variable') })).to.equal('0');
      expect(await pool.apply([], { target: kind.target('name') })).to.equal('crew-1');
    });

    it('an initializer or a target that fails is one error for the pool', async () => {
      for (const [target, options] of [
        ['echo', { initializer: 'failing_initialize' }],
        ['no_such_function', {}],
        ...(kind.isPython ? ([['no_such_module:f', {}]] as const) : []),
      ] as const) {
        const pool = kind.make(target, { ...options, processes: 2 });
        const calls = [pool.apply([1]), pool.apply([2])];
        const failed = rejects(pool.ready(), { code: 'ERR_MP_CHILD_PROCESS' });
        for (const call of calls) await rejects(call, { code: 'ERR_MP_CHILD_PROCESS' });
        const error = (await failed) as ChildProcessError;
        expect(error.stage).to.equal(target === 'echo' ? 'run' : target.includes(':') ? 'import' : 'export');
        await rejects(pool.apply([3]), { code: 'ERR_MP_POOL_CLOSED' });
        await pool.terminate();
      }
    });

    it('close waits for the tasks that were taken, and takes no more', async () => {
      const pool = kind.make('add_async', { processes: 1 });
      const calls = [1, 2, 3].map((i) => pool.apply([i, 1]));
      const closed = pool.close();
      await rejects(pool.apply([4, 1]), { code: 'ERR_MP_POOL_CLOSED' });
      expect(await Promise.all(calls)).to.deep.equal([2, 3, 4]);
      await closed;
      await pool.join();
      expect(pool.stats().workers).to.deep.equal([]);
    });

    it('close with a grace ends what is not done by then', async () => {
      const pool = kind.make('ignore_cancel', { processes: 1 });
      const lines = new Lines(pool);
      const call = pool.apply([]);
      await lines.next(/^begun/);
      const failed = rejects(call, { code: 'ERR_MP_POOL_CLOSED' });
      await pool.close({ grace: 20 });
      await failed;
      expect(pool.stats().workers).to.deep.equal([]);
    });

    it('terminate ends everything at once', async () => {
      const pool = kind.make('ignore_cancel', { processes: 2 });
      const lines = new Lines(pool);
      const calls = [1, 2, 3].map(() => rejects(pool.apply([]), { code: 'ERR_MP_POOL_CLOSED' }));
      await lines.next(/^begun/);
      const items = rejects(pool.imap([1, 2]).next(), { code: 'ERR_MP_POOL_CLOSED' });
      const stream = rejects(pool.stream([1]).next(), { code: 'ERR_MP_POOL_CLOSED' });
      await rejects(pool.join(), { code: 'ERR_MP_NOT_CLOSED' });
      await pool.terminate();
      await Promise.all([...calls, items, stream]);
      await pool.join();
    });

    it('terminate ends a pool whose workers are still starting', async () => {
      const pool = kind.make('echo');
      const ready = rejects(pool.ready(), { code: 'ERR_MP_POOL_CLOSED' });
      const call = rejects(pool.apply([1]), { code: 'ERR_MP_POOL_CLOSED' });
      await pool.terminate();
      await Promise.all([ready, call]);
    });

    it('counts and times its tasks', async () => {
      const pool = kind.make('add');
      await pool.map([1, 2, 3], { chunksize: 1 });
      await rejects(pool.apply([1], { target: kind.target('fail') }), { code: 'ERR_MP_REMOTE' });
      const stats = pool.stats();
      expect(stats).to.include({ done: 3, failed: 1, queued: 0, running: 0, retried: 0 });
      expect(stats.run.count).to.equal(4);
      expect(stats.wait.count).to.equal(4);
      expect(stats.run.max).to.be.at.least(stats.run.p50);
    });

    it('slows down when its workers die one after the other, says so, and goes on', async () => {
      const pool = kind.make('kill_self', { processes: 1 });
      const braked = new Promise((resolve) => pool.once('brake', resolve));
      for (let i = 0; i < 4; i++) await rejects(pool.apply([]), { code: 'ERR_MP_WORKER_DIED' });
      expect(await within(60_000, braked, 'brake')).to.include({ deaths: 4 });
      expect(await pool.apply([1, 2], { target: kind.target('add') })).to.equal(3);
    });
  });
}
