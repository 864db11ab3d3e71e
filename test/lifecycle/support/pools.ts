// SPDX-License-Identifier: MIT
//
// Both kinds of pools over the same functions.
import { join } from 'node:path';

import { Pool, PythonPool, type BasePool, type OutputEvent, type PoolOptions } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, within } from '../../helpers/index.js';

const module = new URL('../children/pool-functions.js', import.meta.url);
const peers = join(packageRoot, 'test', 'peers');

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- The functions of all tests.
export type AnyPool = BasePool<(...args: any[]) => any>;

/** Options of both kinds. */
export interface Options extends PoolOptions {
  readonly initializer?: string;
}

/** A kind of pool. */
export interface Kind {
  readonly name: string;
  readonly isPython: boolean;
  /** The name of a RangeError, or a ValueError. */
  readonly errorName: string;
  /** The option `target` of a function. */
  target(name: string): string;
  make(name: string, options?: Options): AnyPool;
  /** As `make`. The pool is not ended after the test, and may be collected before. */
  untracked(name: string, options?: Options): AnyPool;
}

const made: AnyPool[] = [];

function tracked<P extends AnyPool>(pool: P): P {
  made.push(pool);
  return pool;
}

/** Ends all pools of a test. To be called after each. */
export async function endPools(): Promise<void> {
  await Promise.all(made.splice(0).map((pool) => pool.terminate()));
}

export const nodeKind: Kind = {
  name: 'Pool',
  isPython: false,
  errorName: 'RangeError',
  target: (name) => name,
  make: (name, options) => tracked(nodeKind.untracked(name, options)),
  untracked: (name, options = {}) => new Pool({ module, target: name, processes: 2, ...options }) as AnyPool,
};

/** The `target` of a function that pools of Node do not have. */
export function pythonOnly(name: string): string {
  return `python_functions:${name}`;
}

/** Pools of one Python. */
export function pythonKind(version: string, path: string): Kind {
  const target = (name: string): string => (name.includes(':') ? name : `pool_functions:${name}`);
  const kind: Kind = {
    name: `PythonPool ${version}`,
    isPython: true,
    errorName: 'ValueError',
    target,
    make: (name, options) => tracked(kind.untracked(name, options)),
    untracked(name, { initializer, ...options } = {}) {
      const env = options.env ?? foreignEnv();
      const common = { target: target(name), python: path, pythonPath: peers, processes: 2, ...options, env };
      const initialize = initializer === undefined ? {} : { initializer: target(initializer) };
      return new PythonPool({ ...common, ...initialize }) as AnyPool;
    },
  };
  return kind;
}

/** The pools of Node, and of the oldest and the newest Python. */
export const kinds: readonly Kind[] = [
  nodeKind,
  ...edgePythons().map(({ version, path }) => pythonKind(version, path)),
];

/** Collects the lines that workers write. */
export class Lines {
  readonly #lines: OutputEvent[] = [];
  readonly #pool: AnyPool;
  #wake: (() => void) | undefined;

  constructor(pool: AnyPool) {
    this.#pool = pool;
    pool.on('output', (event) => {
      this.#lines.push(event);
      this.#wake?.();
    });
  }

  /** The next line that matches, which is taken out. */
  async next(pattern: RegExp): Promise<OutputEvent> {
    const wait = async (): Promise<OutputEvent> => {
      for (;;) {
        const index = this.#lines.findIndex(({ line }) => pattern.test(line));
        if (index >= 0) return this.#lines.splice(index, 1)[0]!;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    };
    return await within(60_000, wait(), `a line ${pattern} of ${this.#pool.constructor.name}`);
  }
}

/** The next event of a pool about a worker, of this type. */
export function workerEvent(pool: AnyPool, type: string): Promise<number> {
  const seen = new Promise<number>((resolve) => {
    pool.on('worker', (event) => {
      if (event.type === type) resolve(event.pid);
    });
  });
  return within(60_000, seen, `a worker that is ${type}`);
}
