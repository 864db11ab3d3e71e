// SPDX-License-Identifier: MIT
//
// The messages between a pool and one of its workers. A worker has one task at a time, so its messages need no number: they are
// about the task that it was sent last. interop/python/node_multiprocessing.py has the same numbers. What the pool says about a task names the attempt, since the worker may have finished it.

import type { TaskContext } from './context.js';

/** What a task does with its function. */
export type Mode = 'call' | 'map' | 'starmap' | 'stream';

/** A task as the worker gets it. */
export interface TaskMessage {
  readonly id: number;
  /** Another number for each attempt, by which the pool names the attempt that is to end. */
  readonly ticket: number;
  readonly attempt: number;
  /** Another function than that of the pool. */
  readonly target: string | undefined;
  /** The arguments; of `map` and `starmap` the items, each an argument or a list of arguments. */
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>> | undefined;
  readonly mode: Mode;
  /** How many items of a stream may be on their way before the pool grants more. */
  readonly credits: number;
  /** Whether the pool has a use for log records. */
  readonly logs: boolean;
  /** Whether the caller wants to know how far the task has got. */
  readonly progress: boolean;
  /** What goes with the task beside its arguments. */
  readonly context: TaskContext | undefined;
}

/** What a worker sends. pool_worker.py has the same numbers. */
export const fromWorker = {
  /** The function is imported and the initializer has returned. */
  ready: 1,
  /** The worker cannot run tasks. The body is a `StartFailure`. */
  failed: 2,
  /** The result of the task, or the end of a stream. */
  done: 3,
  /** The error of the task, in the form of the language. */
  error: 4,
  /** An item of a stream. */
  item: 5,
  /** The body is [done, total]. */
  progress: 6,
  /** A record of the log. The body is a `LogBody`. */
  log: 7,
} as const;

/** What the pool sends about a task. pool_worker.py has the same numbers, but for the tasks themselves and the end. */
export const toWorker = {
  /** A task. */
  task: 0,
  /** The task is to end early. */
  cancel: 1,
  /** So many more items of a stream are wanted. */
  credit: 2,
  /** No more items of a stream are wanted. */
  close: 3,
  /** The worker is to end after its task. */
  exit: 4,
} as const;

/** What the pool says about a task that runs. */
export type Control = typeof toWorker.cancel | typeof toWorker.credit | typeof toWorker.close;

/** The body of a log record. */
export interface LogBody {
  readonly level: string;
  readonly name: string;
  readonly message: string;
}

/** A message of a worker. */
export interface WorkerMessage {
  readonly kind: number;
  /** Resolves when what belongs to the message has come, if it comes another way. */
  readonly whole?: Promise<void>;
  /** The body. Throws an `UnpicklingError` if it cannot be decoded. */
  read(): unknown;
}
