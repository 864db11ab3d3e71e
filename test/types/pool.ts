// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types of pools must accept, and after each @ts-expect-error a use that they must refuse.
import { currentTask, Pool, PythonPool, type BasePool, type PoolStats } from 'node-multiprocessing';

const module = import.meta.url;

export function add(a: number, b = 0): number {
  return a + b;
}

export async function read(name: string): Promise<Buffer> {
  currentTask()?.progress(1, 2);
  return await Promise.resolve(Buffer.from(name));
}

export function* count(n: number): Generator<number> {
  yield n;
}

export async function* lines(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}

export const pool = new Pool({ module, target: add, processes: 2, env: (index) => ({ INDEX: String(index) }) });
export const sum: Promise<number> = pool.apply([1, 2], { timeout: 5, signal: AbortSignal.timeout(5), key: 'a' });
export const short: Promise<number> = pool.apply([1]);
export const sums: Promise<number[]> = pool.map([1, 2], { chunksize: 3 });
export const stars: Promise<number[]> = pool.starmap([[1, 2], [3]]);
export const lazy: AsyncGenerator<number, void, undefined> = pool.imap(new Set([1]), { buffersize: 3 });

// @ts-expect-error The function takes numbers.
void pool.apply(['1']);
// @ts-expect-error The first argument is required.
void pool.apply([]);
// @ts-expect-error The items are numbers.
void pool.map(['1']);
// @ts-expect-error Only Python has keyword arguments.
void pool.apply([1], { kwargs: {} });
// @ts-expect-error There is no such option.
void pool.apply([1], { timeOut: 5 });
// @ts-expect-error The module is required.
void new Pool({ target: add });

export const bytes: Promise<Buffer> = new Pool({ module, target: read }).apply(['a']);
export const numbers: AsyncGenerator<number, void, undefined> = new Pool({ module, target: count }).stream([3]);
export const texts: AsyncGenerator<string, void, undefined> = new Pool({ module, target: lines }).stream(['a']);
export const untyped: Promise<unknown> = new Pool({ module, target: 'read' }).apply(['anything', 5]);

export const python = new PythonPool({ target: 'math:sqrt', python: 'python3.12', initializer: 'm:f', initargs: [1] });
export const root: Promise<unknown> = python.apply([4], { kwargs: { key: 1 }, retries: 2 });
export const typed: Promise<number> = new PythonPool<number>({ target: 'math:sqrt' }).apply([4]);
export const items: AsyncGenerator<unknown, void, undefined> = python.stream([4], { kwargs: {}, buffersize: 3 });

// @ts-expect-error The target is a string.
void new PythonPool({ target: add });
// @ts-expect-error Python has no module option.
void new PythonPool({ module, target: 'math:sqrt' });

export const stats: PoolStats = python.stats();
export const any: BasePool<typeof add> = pool;
pool.on('worker', ({ type, pid }) => void [type satisfies 'started' | 'ready' | 'ended', pid satisfies number]);
pool.once('drain', () => undefined);
// @ts-expect-error There is no such event.
pool.on('workers', () => undefined);
export const ends: Promise<void>[] = [pool.close({ grace: 5 }), pool.terminate(), pool.join(), pool.ready()];
