// SPDX-License-Identifier: MIT
import { availableParallelism } from 'node:os';

import { argumentError } from '../core/errors.js';
import { isURL } from '../core/realms.js';
import { checkFunction, checkInteger, checkObject, checkSignal, checkTimeout } from '../core/validate.js';
import { checkContext, takeContext, type ContextEntry, type ContextSource } from './context.js';
import type { Mode } from './protocol.js';
import type { Job, TaskLimits } from './task.js';

/** Options of both kinds of pools. */
export interface PoolOptions {
  /** The most workers. Default: the number of CPUs that this process may use. CPython: `processes`. */
  processes?: number | undefined;
  /** How many workers are started at once and kept; more are started when tasks wait. Default: `processes`. */
  minProcesses?: number | undefined;
  /** When a worker beyond `minProcesses` has had no task for so long, in milliseconds, it ends. Default: never. */
  idleTimeout?: number | null | undefined;
  /** A worker is replaced after so many tasks. Default: never. CPython: `maxtasksperchild`. */
  maxTasksPerChild?: number | undefined;
  /** A worker with more anonymous memory than this after a task, in bytes, is replaced. Linux only. Default: never. */
  maxRss?: number | undefined;
  /** The environment variables of the workers, or a function that makes those of worker 0, 1, ... Default: those of this process. */
  env?: NodeJS.ProcessEnv | ((index: number) => NodeJS.ProcessEnv) | undefined;
  /** The working directory of the workers. Default: that of this process. */
  cwd?: string | URL | undefined;
  /** How many tasks may wait for a worker. One more is rejected with `PoolSaturated`. Default: no limit. */
  maxQueue?: number | undefined;
  /** How long a task may wait for a worker, in milliseconds. Default: no limit. */
  queueTimeout?: number | null | undefined;
  /** How long a task may run, in milliseconds. The worker of a longer one is freed. Default: no limit. */
  timeout?: number | null | undefined;
  /**
   * How long a worker may take to give up a task that timed out or was aborted, or to end, in milliseconds. Then it is killed, and
   * replaced after its end. Default 2000.
   */
  killTimeout?: number | undefined;
  /** How often a task is tried again after the death of its worker or a timeout; never after an error. Default 0. */
  retries?: number | undefined;
  /** The beginning of the names of the workers. Default: `Pool`, `PythonPool`. */
  name?: string | undefined;
  /** The arguments of `initializer`. CPython: `initargs`. */
  initargs?: readonly unknown[] | undefined;
  /**
   * What goes with each task beside its arguments: AsyncLocalStorages and functions, which are asked in each call of the pool. In
   * a `Pool` the name of an AsyncLocalStorage is that of an export of the module, an AsyncLocalStorage that has the same store
   * while the task runs; all values are in `currentTask().context`. In a `PythonPool` each name is `'module:variable'`, a ContextVar
   * that has the value. Default: nothing.
   */
  context?: Readonly<Record<string, ContextSource>> | undefined;
}

/** @internal The names of these options, for the lists of both kinds. */
export const POOL_OPTIONS = {
  processes: true,
  minProcesses: true,
  idleTimeout: true,
  maxTasksPerChild: true,
  maxRss: true,
  env: true,
  cwd: true,
  maxQueue: true,
  queueTimeout: true,
  timeout: true,
  killTimeout: true,
  retries: true,
  name: true,
  initargs: true,
  context: true,
} as const;

/** Options of one task. */
export interface TaskOptions {
  /** Another function than that of the pool, in the form of the option `target` of the pool. */
  target?: string | undefined;
  /** Ends the task with an AbortError: a queued one is removed, and the worker of a running one is freed. */
  signal?: AbortSignal | undefined;
  /** As that of the pool, which is the default. Of a stream: the longest wait for an item. */
  timeout?: number | null | undefined;
  /** As that of the pool, which is the default. */
  queueTimeout?: number | null | undefined;
  /** Of the tasks that wait, those with a higher number come first. Default 0. */
  priority?: number | undefined;
  /** Tasks with the same key go to the same worker, while it lives: for what the function keeps in its process. */
  key?: unknown;
  /** As that of the pool, which is the default. */
  retries?: number | undefined;
}

/** Options of `apply`. */
export interface ApplyOptions extends TaskOptions {
  /**
   * Called when the function reports its progress: in Node with `currentTask().progress(done, total)`, in Python with
   * `multiprocessing.current_process().progress(done, total)`.
   */
  onProgress?: ((done: number, total: number | undefined) => void) | undefined;
}

/** Options of `map` and `starmap`. */
export interface MapOptions extends TaskOptions {
  /** How many items make a task. Default: so many that each worker gets four tasks. CPython: `chunksize`. */
  chunksize?: number | undefined;
}

/** Options of `imap` and `imapUnordered`. */
export interface IteratorOptions extends TaskOptions {
  /** How many items make a task. Default 1. CPython: `chunksize`. */
  chunksize?: number | undefined;
  /** How many tasks may be begun and not yet taken by the consumer. Default: twice as many as `processes`. CPython: `buffersize`. */
  buffersize?: number | undefined;
}

/** Options of `stream`. */
export interface StreamOptions extends TaskOptions {
  /** How many items may be on their way or waiting for the consumer. Default 16. */
  buffersize?: number | undefined;
}

/** @internal The names of the options of every task. */
export const TASK_OPTIONS = {
  target: true,
  signal: true,
  timeout: true,
  queueTimeout: true,
  priority: true,
  key: true,
  retries: true,
} as const;

/** Validated options of the workers. */
export interface CrewOptions {
  readonly processes: number;
  readonly minProcesses: number;
  readonly idleTimeout: number;
  readonly maxTasksPerChild: number;
  readonly maxRss: number;
  readonly killTimeout: number;
}

/** All validated options that do not depend on the language. */
export interface CheckedOptions extends CrewOptions {
  readonly maxQueue: number;
  readonly limits: TaskLimits;
  readonly env: (index: number) => NodeJS.ProcessEnv | undefined;
  readonly cwd: string | URL | undefined;
  readonly name: string;
  readonly initargs: readonly unknown[];
  readonly context: readonly ContextEntry[];
}

function countOr(value: number | undefined, name: string, min: number, otherwise: number): number {
  if (value === undefined || value === Infinity) return otherwise;
  checkInteger(value, name, min);
  return value;
}

const KILL_TIMEOUT_MS = 2000;

/** Validates the options of a pool. */
export function checkPoolOptions(options: PoolOptions, name: string): CheckedOptions {
  const processes = countOr(options.processes, 'processes', 1, availableParallelism());
  const minProcesses = countOr(options.minProcesses, 'minProcesses', 0, processes);
  if (minProcesses > processes) throw argumentError('range', 'minProcesses must not be greater than processes');
  const { env, cwd, initargs = [] } = options;
  if (env !== undefined && typeof env !== 'function') checkObject(env, 'env');
  if (cwd !== undefined && typeof cwd !== 'string' && !isURL(cwd)) {
    throw argumentError('type', 'cwd must be a string or a URL');
  }
  if (!Array.isArray(initargs)) throw argumentError('type', 'initargs must be an array');
  if (options.name !== undefined && typeof options.name !== 'string') {
    throw argumentError('type', 'name must be a string');
  }
  return {
    processes,
    minProcesses,
    idleTimeout: checkTimeout(options.idleTimeout, 'idleTimeout'),
    maxTasksPerChild: countOr(options.maxTasksPerChild, 'maxTasksPerChild', 1, Infinity),
    maxRss: countOr(options.maxRss, 'maxRss', 1, Infinity),
    maxQueue: countOr(options.maxQueue, 'maxQueue', 0, Infinity),
    killTimeout: options.killTimeout === undefined ? KILL_TIMEOUT_MS : checkTimeout(options.killTimeout, 'killTimeout'),
    limits: {
      timeout: checkTimeout(options.timeout),
      queueTimeout: checkTimeout(options.queueTimeout, 'queueTimeout'),
      signal: undefined,
      priority: 0,
      key: undefined,
      retries: countOr(options.retries, 'retries', 0, 0),
    },
    env: typeof env === 'function' ? env : () => env,
    cwd,
    name: options.name ?? name,
    initargs,
    context: checkContext(options.context),
  };
}

/** Validates the options of one task. */
function checkTaskOptions(options: TaskOptions, pool: TaskLimits): TaskLimits {
  const { priority = 0 } = options;
  if (typeof priority !== 'number' || Number.isNaN(priority)) throw argumentError('type', 'priority must be a number');
  return {
    timeout: options.timeout === undefined ? pool.timeout : checkTimeout(options.timeout),
    queueTimeout:
      options.queueTimeout === undefined ? pool.queueTimeout : checkTimeout(options.queueTimeout, 'queueTimeout'),
    signal: checkSignal(options.signal),
    priority,
    key: options.key,
    retries: countOr(options.retries, 'retries', 0, pool.retries),
  };
}

/** The part of a job that is known before its arguments. */
export type JobBase = Pick<Job, 'mode' | 'target' | 'kwargs' | 'credits' | 'limits' | 'context' | 'owner'>;

/** Makes that part. */
export function jobBase(mode: Mode, options: TaskOptions, pool: CheckedOptions, owner: object, credits = 0): JobBase {
  const limits = checkTaskOptions(options, pool.limits);
  const { kwargs } = options as { kwargs?: Readonly<Record<string, unknown>> };
  return { mode, target: options.target, kwargs, credits, limits, context: takeContext(pool.context), owner };
}

/**
 * Adds the rest. The properties are named one by one, since V8 makes an object of a new kind for each job whose functions are added
 * to a copy, and every later access to it is a slow one.
 */
export function jobOf(base: JobBase, rest: Omit<Job, keyof JobBase>): Job {
  const { mode, target, kwargs, credits, limits, context, owner } = base;
  const { args, ahead, done, failed, item, progress } = rest;
  return { mode, target, kwargs, credits, limits, context, owner, args, ahead, done, failed, item, progress };
}

export function checkProgress(onProgress: unknown): void {
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress');
}
