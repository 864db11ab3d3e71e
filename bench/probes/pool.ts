// SPDX-License-Identifier: MIT
//
// Pools: `pool.js <pool> task|map|array1|array8|array64|cold <warm-up ms> <measured ms>`, with the pool `ours`, `python`
// (a PythonPool), `workerpool`, `piscina`, or `fork` and `python-import` for `cold`.
//
// `task` is an empty task and its result, one after the other; `array1` the same with 1 MiB of floats, `array8` and
// `array64` with more; `map` is 100,000 tasks by two workers, per task. `cold` is the time until four workers of a new
// pool have each run a task.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import * as mp from 'node-multiprocessing';

import { compiledModule, loadInstalled, peerSource } from '../paths.js';
import { report, sample, timesFrom } from '../sampling.js';

const TASKS = 100_000;
const CHUNK = 100;
const WORKERS = 4;
const COLD = 5;
/** Times the usual warm-up: the way of a task leads through much code of two programs, which V8 compiles bit by bit. */
const LONG_WARM_UP = 4;

const module = compiledModule('peers/pool-tasks');

/** A pool, whichever it is. */
interface AnyPool {
  run(value: unknown): Promise<unknown>;
  map?(values: readonly unknown[]): Promise<unknown>;
  end(): Promise<unknown>;
}

function ofOurs(pool: mp.Pool | mp.PythonPool): AnyPool {
  return {
    run: (value) => pool.apply([value]),
    map: (values) => pool.map(values, { chunksize: CHUNK }),
    end: async () => {
      await pool.terminate();
      await pool.join();
    },
  };
}

const makers: Record<string, (processes: number) => AnyPool> = {
  ours: (processes) => ofOurs(new mp.Pool({ module: pathToFileURL(module), target: 'same', processes })),
  python: (processes) => {
    const pythonPath = path.dirname(peerSource('pool_tasks.py'));
    return ofOurs(new mp.PythonPool({ target: 'pool_tasks:same', python: 'python3', pythonPath, processes }));
  },
  workerpool: (maxWorkers) => {
    const { pool } = loadInstalled('workerpool') as {
      pool(
        file: string,
        options: object,
      ): { exec(name: string, args: unknown[]): Promise<unknown>; terminate(): Promise<unknown> };
    };
    const made = pool(compiledModule('peers/pool-workerpool'), { workerType: 'process', maxWorkers });
    return { run: (value) => made.exec('same', [value]), end: () => made.terminate() };
  },
  piscina: (maxThreads) => {
    const { Piscina } = loadInstalled('piscina') as {
      Piscina: new (options: object) => { run(value: unknown): Promise<unknown>; destroy(): Promise<void> };
    };
    const made = new Piscina({ filename: pathToFileURL(module).href, minThreads: maxThreads, maxThreads });
    return { run: (value) => made.run(value), end: () => made.destroy() };
  },
};

/** What a pool cannot be faster than: processes that are started together, and each say one word. */
const starts: Record<string, () => Promise<() => Promise<unknown>>> = {
  fork: async () => {
    const children = Array.from({ length: WORKERS }, () => fork(compiledModule('peers/first-message')));
    await Promise.all(children.map((child) => once(child, 'message')));
    return () => {
      const ends = children.map((child) => once(child, 'exit'));
      for (const child of children) child.disconnect();
      return Promise.all(ends);
    };
  },
  'python-import': async () => {
    const command = ['-c', 'import multiprocessing.spawn'];
    const children = Array.from({ length: WORKERS }, () => spawn('python3', command, { stdio: 'ignore' }));
    await Promise.all(children.map((child) => once(child, 'exit')));
    return () => Promise.resolve();
  },
};

function make(name: string, workers: number): AnyPool {
  const maker = makers[name];
  if (maker === undefined) throw new TypeError(`no such pool: ${name}`);
  return maker(workers);
}

async function startPool(name: string): Promise<() => Promise<unknown>> {
  const pool = make(name, WORKERS);
  await Promise.all(Array.from({ length: WORKERS }, () => pool.run(null)));
  return () => pool.end();
}

async function cold(name: string): Promise<void> {
  const start = starts[name] ?? (() => startPool(name));
  const samples: number[] = [];
  for (let i = 0; i <= COLD; i++) {
    const begin = process.hrtime.bigint();
    const end = await start();
    // The first start loads modules that later starts find loaded.
    if (i > 0) samples.push(Number(process.hrtime.bigint() - begin));
    await end();
  }
  report({ nsPerOperation: samples });
}

async function warm(name: string, mode: string | undefined, times: readonly string[]): Promise<void> {
  const pool = make(name, mode === 'map' ? 2 : 1);
  const { map } = pool;
  const long = timesFrom(LONG_WARM_UP * Number(times[0]), times[1]);
  if (mode === 'map' && map !== undefined) {
    const values = Array.from({ length: TASKS }, (_, i) => i);
    report(await sample(long, 1, () => map(values), { least: 3, operations: TASKS }));
  } else {
    const mib = Number(/^array(\d+)$/.exec(mode ?? '')?.[1] ?? 0);
    const array = Float64Array.from({ length: mib * 131072 }, (_, i) => i);
    const value = mib === 0 ? null : name === 'python' ? mp.pickle.ndarray(array) : array;
    const run = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await pool.run(value);
    };
    report(await sample(long, Math.ceil(20 / Math.max(mib, 1)), run));
  }
  await pool.end();
}

const [name = '', mode, ...times] = process.argv.slice(2);
if (mode === 'cold') await cold(name);
else await warm(name, mode, times);
