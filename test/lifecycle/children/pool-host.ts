// SPDX-License-Identifier: MIT
//
// A program with a pool: `pool-host.js idle|busy|nested|names|throwing|unguarded node|python <interpreter>`.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { isMainProcess, Pool, PythonPool, type BasePool } from 'node-multiprocessing';

import { foreignEnv, packageRoot } from '../../helpers/environment.js';

const module = import.meta.url;

/** A pool of one worker over the functions of both languages. */
function makePool(kind: string, python: string, target: string): BasePool<(...args: unknown[]) => unknown> {
  if (kind === 'node') {
    return new Pool({ module: new URL('./pool-functions.js', module), target, processes: 1 });
  }
  const pythonPath = join(packageRoot, 'test', 'peers');
  return new PythonPool({ target: `pool_functions:${target}`, python, pythonPath, processes: 1, env: foreignEnv() });
}

/** Runs in a worker of a pool, and has a pool itself. */
export async function squareInPool(kind: string, python: string, value: number): Promise<unknown> {
  await using pool = makePool(kind, python, 'sqr');
  return await pool.apply([value]);
}

export function nothing(): void {
  // For a module that makes a pool wherever it is loaded.
}

async function main([mode, kind = '', python = '']: string[]): Promise<void> {
  if (mode === 'nested') {
    await using pool = new Pool({ module, target: squareInPool, processes: 1 });
    console.log(await pool.apply([kind, python, 4]));
    return;
  }
  const pool = makePool(kind, python, 'pid');
  if (mode === 'throwing') {
    const thrown = new Set<string>();
    process.on('uncaughtException', (error) => thrown.add(error.message));
    for (const event of ['worker', 'output', 'drain'] as const) {
      pool.on(event, () => {
        throw new Error(event);
      });
    }
    for (let i = 0; i < 3; i++) await pool.apply([], { target: kind === 'node' ? 'noise' : 'pool_functions:noise' });
    await pool.close();
    console.log([...thrown].sort().join());
    return;
  }
  if (mode === 'busy') {
    pool.on('output', ({ line }) => console.log(line.split(' ')[1]));
    await pool.apply([], { target: kind === 'node' ? 'ignore_cancel' : 'pool_functions:ignore_cancel' });
  }
  const pid = await pool.apply([]);
  if (mode === 'names') {
    console.log(JSON.stringify(readdirSync('/dev/shm').filter((name) => name.startsWith('sem.mp-'))));
    await pool.close();
    return;
  }
  console.log(pid);
}

if (process.argv[2] === 'unguarded' || process.env['UNGUARDED'] !== undefined) {
  process.env['UNGUARDED'] = '1';
  const pool = new Pool({ module, target: nothing, processes: 1 });
  const outcome = await pool.ready().catch((error: unknown) => `${(error as { code: string }).code} ${String(error)}`);
  console.log(outcome);
} else if (isMainProcess) {
  await main(process.argv.slice(2));
}
