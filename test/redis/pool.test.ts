// SPDX-License-Identifier: MIT
//
// Tasks of a RedisPool, for workers in this process, in processes of the command line, and in Python.
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';
import { RemoteError, TaskTimeout, WorkerDied } from 'node-multiprocessing';
import {
  RedisJoinableQueue,
  RedisPool,
  RedisPoolWorker,
  RedisQueue,
  type RedisPoolOptions,
  type RedisPoolWorkerOptions,
} from 'node-multiprocessing/redis';

import { instance, nodePeer, packageRoot, rejects, spawnPeer, throws, within, type Peer } from '../helpers/index.js';
import { withRedis } from './support/pythons.js';
import { onRedis, ownServer } from './support/server.js';

const tasks = `${packageRoot}out/test/redis/children/tasks.js`;
const module = pathToFileURL(tasks);
const WATCHDOG_MS = 50_000;

describe(onRedis('A RedisPool'), () => {
  const open: { terminate(): Promise<void> }[] = [];
  // Before the clients are closed.
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.terminate()));
  });
  const server = ownServer();
  let name = '';
  let count = 0;
  beforeEach(() => {
    name = `pool ${++count}`;
  });

  async function startPool(options: Partial<RedisPoolOptions> = {}): Promise<RedisPool> {
    const { client } = await server.connect();
    const pool = new RedisPool({ client, name, leaseTime: 500, processes: 2, ...options });
    open.push(pool);
    // Its settings count.
    await pool.ready();
    return pool;
  }

  async function startWorker(target: string, options: Partial<RedisPoolWorkerOptions> = {}): Promise<RedisPoolWorker> {
    const { client } = await server.connect();
    const worker = new RedisPoolWorker({ client, name, module, target, processes: 1, ...options });
    open.push(worker);
    await within(WATCHDOG_MS, worker.ready(), 'the worker');
    return worker;
  }

  /** A worker of the command line. */
  function spawnProgram(target: string, processes: string, ...args: string[]): Peer {
    const program = { ...nodePeer(''), args: [`${packageRoot}dist/cli/main.js`, 'worker'] };
    const where = ['--redis', `redis://${server.address}`, '--name', name, '--module', tasks, '--target', target];
    return spawnPeer(program, { args: [...where, '--processes', processes, ...args], cwd: packageRoot });
  }

  /** One that works; with `--serialization json` Python's tasks are for it, too. */
  async function startProgram(target: string, ...args: string[]): Promise<Peer> {
    const peer = spawnProgram(target, '1', ...args);
    expect(await within(WATCHDOG_MS, peer.line(), 'the worker')).to.include('ready');
    return peer;
  }

  it('has the results and errors of a Pool, also for tasks that wait for their first worker', async () => {
    const pool = await startPool();
    const first = pool.apply([21]);
    const worker = await startWorker('double');
    expect(await within(WATCHDOG_MS, first, 'the first result')).to.equal(42);
    expect(await pool.map([1, 2, 3, 4, 5], { chunksize: 2 })).to.deep.equal([2, 4, 6, 8, 10]);
    expect(await pool.starmap([[1, 2]], { target: 'add' })).to.deep.equal([3]);
    expect(await pool.map([])).to.deep.equal([]);
    const results: unknown[] = [];
    for await (const result of pool.imap([1, 2, 3])) results.push(result);
    expect(results).to.deep.equal([2, 4, 6]);
    const failed = instance(
      await rejects(pool.apply(['no'], { target: 'fail' }), { code: 'ERR_MP_REMOTE' }),
      RemoteError,
    );
    expect([failed.type, failed.message]).to.deep.equal(['RangeError', 'RangeError: no']);
    expect(failed.traceback).to.include('tasks.js');
    await rejects(pool.apply([], { target: 'unsendable' }), { code: 'ERR_MP_REMOTE', type: 'PicklingError' });
    await rejects(pool.apply([() => undefined]), { code: 'ERR_MP_PICKLING' });
    throws(() => pool.stream(), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(pool.stats()).to.include({ failed: 3, queued: 0, running: 0 });
    await worker.close();
    await within(WATCHDOG_MS, pool.close(), 'the end of the pool');
    await rejects(pool.apply([1]), { code: 'ERR_MP_POOL_CLOSED' });
  });

  it('tells of the death of a process, or repeats the task', async () => {
    const pool = await startPool();
    await startWorker('die');
    const died = instance(await rejects(pool.apply([3]), { code: 'ERR_MP_WORKER_DIED' }), WorkerDied);
    expect([died.signal, died.pid > 0, died.task]).to.deep.equal(['SIGKILL', true, 1]);
    expect(await within(WATCHDOG_MS, pool.apply([3], { retries: 2 }), 'the result')).to.equal(3);
  });

  it('ends tasks by their time limits and signals, and frees their workers', async () => {
    const pool = await startPool({ maxQueue: 2 });
    const late = instance(
      await rejects(pool.apply([1], { queueTimeout: 50 }), { code: 'ERR_MP_TASK_TIMEOUT' }),
      TaskTimeout,
    );
    expect(late.phase).to.equal('queued');
    const worker = await startWorker('wait');
    await rejects(pool.apply([], { timeout: 100 }), { code: 'ERR_MP_TASK_TIMEOUT', phase: 'running' });
    const controller = new AbortController();
    const aborted = pool.apply([], { signal: controller.signal });
    const other = pool.apply([1], { target: 'double' });
    await rejects(pool.apply([]), { code: 'ERR_MP_POOL_SATURATED' });
    controller.abort();
    await rejects(aborted, { code: 'ABORT_ERR' });
    // Its worker is free again.
    expect(await within(WATCHDOG_MS, other, 'the other task')).to.equal(2);
    // The task that had waited for too long was not run.
    expect(worker.stats().done).to.equal(1);
    const left = pool.apply([]);
    await Promise.all([rejects(left, { code: 'ERR_MP_POOL_CLOSED' }), pool.terminate()]);
  });

  it('moves the task of a host that has died to another one, if it may be repeated', async () => {
    const pool = await startPool();
    const program = await startProgram('hang');
    const results = [pool.apply([5], { target: 'hang', timeout: 60_000 })];
    const begun = (): boolean => pool.stats().running === 1;
    while (!begun()) await new Promise((resolve) => setTimeout(resolve, 10));
    program.kill();
    await program.exit;
    await startWorker('double');
    const lost = instance(await rejects(results[0] as Promise<unknown>, { code: 'ERR_MP_WORKER_DIED' }), WorkerDied);
    expect([lost.pid, lost.attempt]).to.deep.equal([0, 1]);
  });

  it('repeats the task of a program that was killed, and lets a program end after its task', async () => {
    const pool = await startPool({ retries: 1 });
    const first = await startProgram('hang');
    const result = pool.apply([4], { timeout: 60_000 });
    while (pool.stats().running === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    first.kill();
    await first.exit;
    const second = await startProgram('double');
    expect(await within(WATCHDOG_MS, result, 'the result')).to.equal(8);
    second.kill('SIGTERM');
    await second.succeeded();
  });

  /** Puts an item on the queue of the tasks that is none, and resolves when it is with the dead letters. */
  async function putNoTask(bytes: string): Promise<() => Promise<void>> {
    const { client, command } = await server.connect();
    const [tasks, dead] = ['tasks', 'dead'].map((each) => `mp:{${name}:${each}}:items`) as [string, string];
    const queue = new RedisQueue<unknown>({ client, name: `${name}:tasks` });
    await queue.put(0);
    // As a program could write it that is none of this package.
    const [[entry]] = (await command('XRANGE', tasks, '-', '+')) as [[string]];
    await command('XDEL', tasks, entry);
    await command('XADD', tasks, '*', 'd', bytes);
    await queue.close();
    return async () => {
      const all = new RedisJoinableQueue({ client, name: `${name}:tasks` });
      await all.join({ timeout: WATCHDOG_MS });
      await all.close();
      const found = (await command('XRANGE', dead, '-', '+')) as [string, string[]][];
      expect(found.map(([, fields]) => fields.map(String))).to.deep.equal([['d', bytes]]);
      expect(Number(await command('PTTL', dead))).to.be.above(0);
    };
  }

  // Regression: its process kept such an item until its end, and the next one then.
  for (const bytes of ['no JSON', '[1]', '{"id":"a:1","pool":"a","mode":"stream","args":[],"attempts":1}']) {
    it(`moves an item to the dead letters that is no task (${bytes})`, async () => {
      const pool = await startPool({ serialization: 'json' });
      const expectMoved = await putNoTask(bytes);
      await startWorker('double', { serialization: 'json' });
      expect(await within(WATCHDOG_MS, pool.apply([21]), 'the task behind it')).to.equal(42);
      await expectMoved();
    });
  }

  it('keeps the results of a pool that is gone for a while only', async () => {
    const { client, command } = await server.connect();
    const queue = new RedisQueue({ client, name, expires: 60_000 });
    await queue.put(1);
    expect(Number(await command('PTTL', `mp:{${name}}:items`))).to.be.within(1, 60_000);
    expect(await queue.get()).to.equal(1);
    await queue.destroy();
    await queue.close();
  });

  it('is not left alone with a program whose options are wrong', async () => {
    // Regression: the program waited for ever, connected to Redis.
    const program = spawnProgram('double', 'none');
    expect((await within(WATCHDOG_MS, program.exit, 'the program')).code).to.equal(1);
    expect(program.stderr).to.match(/^node-multiprocessing: .*processes/);
  });

  it('checks its options', () => {
    const client = { duplicate: () => 0, callBuffer: () => 0 };
    throws(() => new RedisPool({ client, name: '' }), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => new RedisPool({ client, name, wrong: 1 } as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => new RedisPoolWorker({ client, name, module, target: 'double', wrong: 1 } as never), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
    throws(() => new RedisPoolWorker({ client: {} as never, name, module, target: 'double' }), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });

  for (const [python] of withRedis()) {
    describe(`with workers in Python ${python.version}`, () => {
      const start = async (target: string, processes = '1'): Promise<Peer> => {
        const program = {
          language: 'python',
          label: `python${python.version}`,
          command: python.path,
          args: ['-m', 'node_multiprocessing_redis'],
        } as const;
        const args = ['worker', '--redis', `redis://${server.address}`, '--name', name, '--processes', processes];
        const env = { PYTHONPATH: `${packageRoot}interop/python:${packageRoot}test/peers` };
        const peer = spawnPeer(program, { args: [...args, '--target', target], env });
        expect(await within(WATCHDOG_MS, peer.line(), 'the worker')).to.include('ready');
        return peer;
      };

      it('has results, errors and time limits', async () => {
        const pool = await startPool({ serialization: 'json' });
        const worker = await start('math:sqrt', '2');
        expect(await within(WATCHDOG_MS, pool.apply([16]), 'the result')).to.equal(4);
        // It starts processes, which import the main module.
        const nested = pool.apply([], { target: 'python_functions:nested' });
        expect(await within(WATCHDOG_MS, nested, 'a pool in a task')).to.equal(7);
        expect(await pool.map([1, 4], { chunksize: 2 })).to.deep.equal([1, 2]);
        expect(await pool.starmap([[7, 2]], { target: 'math:fmod' })).to.deep.equal([1]);
        const failed = instance(await rejects(pool.apply([-1]), { code: 'ERR_MP_REMOTE' }), RemoteError);
        expect([failed.type, failed.args.length]).to.deep.equal(['ValueError', 1]);
        await rejects(pool.apply([[]], { target: 'builtins:iter' }), { code: 'ERR_MP_REMOTE', type: 'TypeError' });
        // NaN, which Python's JSON has and no other: the pool could not read the result, and the task never ended.
        const nan = rejects(pool.apply(['nan'], { target: 'builtins:float' }), {
          code: 'ERR_MP_REMOTE',
          type: 'ValueError',
        });
        await within(WATCHDOG_MS, nan, 'the refusal');
        await rejects(pool.apply([100], { target: 'time:sleep', timeout: 100 }), {
          code: 'ERR_MP_TASK_TIMEOUT',
          phase: 'running',
        });
        worker.kill('SIGTERM');
        await worker.succeeded();
      });

      // Regression: the worker ended, and so did each of its successors.
      it('refuses a task that it cannot decode, and a result that it cannot encode, and goes on', async () => {
        const pool = await startPool({ serialization: 'json' });
        const worker = await start('builtins:eval');
        let deep: unknown = [];
        for (let i = 0; i < 3000; i++) deep = [deep];
        const recursion = { code: 'ERR_MP_REMOTE', type: 'RecursionError' };
        await within(WATCHDOG_MS, rejects(pool.apply([deep]), recursion), 'the refusal');
        const nest = "__import__('functools').reduce(lambda inner, _: [inner], range(3000), [])";
        await within(WATCHDOG_MS, rejects(pool.apply([nest]), recursion), 'the refusal of the result');
        expect(await within(WATCHDOG_MS, pool.apply(['2 + 3']), 'the next task')).to.equal(5);
        worker.kill('SIGTERM');
        await worker.succeeded();
      });

      // Regression: as above.
      for (const bytes of ['no JSON', '[1]', '{"id":1}']) {
        it(`moves an item to the dead letters that is no task (${bytes})`, async () => {
          const pool = await startPool({ serialization: 'json' });
          const expectMoved = await putNoTask(bytes);
          const worker = await start('math:sqrt');
          expect(await within(WATCHDOG_MS, pool.apply([16]), 'the task behind it')).to.equal(4);
          await expectMoved();
          worker.kill('SIGTERM');
          await worker.succeeded();
        });
      }

      it('repeats the task of a worker that was killed', async () => {
        const pool = await startPool({ serialization: 'json', retries: 1 });
        const worker = await start('time:sleep');
        const result = pool.apply([1000], { timeout: 600_000 });
        while (pool.stats().running === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        worker.kill();
        await worker.exit;
        await start('builtins:float');
        expect(await within(WATCHDOG_MS, result, 'the result')).to.equal(1000);
      });
    });
  }
});
