// SPDX-License-Identifier: MIT
//
// What a RedisPool and its workers say to each other. interop/python/node_multiprocessing_redis/worker.py has the same. All of it
// can be JSON.
import { constants } from 'node:os';

import { isError } from '../../../core/realms.js';
import { RemoteError, TaskTimeout, WorkerDied } from '../../../core/pool-errors.js';
import type { Mode } from '../../../pool/protocol.js';
import type { PoolQueueOptions } from './options.js';

/** A task, on the queue `<name>:tasks`. */
export interface TaskItem {
  readonly id: string;
  /** The pool, whose results are on the queue `<name>:results:<pool>`. */
  readonly pool: string;
  readonly mode: Mode;
  readonly target?: string | undefined;
  readonly args: readonly unknown[];
  /** Longest time of an attempt, in milliseconds. */
  readonly timeout?: number | undefined;
  /** How many attempts there may be. */
  readonly attempts: number;
  /** Whether the pool wants to know when an attempt begins. */
  readonly tells: boolean;
}

/** Whether an item is a task. */
export function isTask(item: unknown): item is TaskItem {
  const { id, pool, mode, args, attempts } = Object(item) as Partial<TaskItem>;
  const isText = typeof id === 'string' && typeof pool === 'string';
  return isText && ['call', 'map', 'starmap'].includes(mode ?? '') && Array.isArray(args) && Number.isInteger(attempts);
}

/** The failure of a task. */
export type Failure =
  | {
      readonly kind: 'error';
      readonly type: string;
      readonly message: string;
      readonly args: readonly unknown[];
      readonly traceback: string;
    }
  | {
      readonly kind: 'died';
      readonly pid: number;
      readonly exitcode: number;
      readonly attempt: number;
      readonly stderrTail: string;
    }
  | { readonly kind: 'timeout' };

/** What a worker says of a task: that it begins, its result, or its failure. */
export interface ResultItem {
  readonly id: string;
  readonly began?: true;
  readonly value?: unknown;
  readonly failure?: Failure;
}

/** The key of the tasks that were given up, on the node of the tasks. */
export function cancelledKey({ prefix = 'mp:', name }: PoolQueueOptions): string {
  return `${prefix}{${name}:tasks}:cancelled`;
}

/** For how long the results of a pool that does not ask for them are kept. */
export const RESULTS_EXPIRE_MS = 600_000;

/** The failure of an attempt whose worker has ended in a way that no process could tell. */
export function lostAttempt(attempt: number): Failure {
  return { kind: 'died', pid: 0, exitcode: 0, attempt, stderrTail: '' };
}

export function failureOf(error: unknown): Failure {
  if (error instanceof TaskTimeout) return { kind: 'timeout' };
  if (error instanceof WorkerDied) {
    const { pid, exitCode, signal, attempt, stderrTail } = error;
    const number = constants.signals[signal as NodeJS.Signals] as number | undefined;
    return { kind: 'died', pid, exitcode: exitCode ?? -(number ?? 0), attempt, stderrTail };
  }
  if (error instanceof RemoteError) {
    const { type, message, args, traceback } = error;
    return { kind: 'error', type, message: message.slice(type.length + 2), args, traceback };
  }
  const { name, message, stack = '' } = isError(error) ? error : new Error(String(error));
  return { kind: 'error', type: name, message, args: [], traceback: stack };
}

/** The error for a failure. */
export function errorOf(failure: Failure, task: number, timeout: number): Error {
  if (failure.kind === 'timeout') return new TaskTimeout('running', timeout, task);
  return failure.kind === 'died' ? new WorkerDied({ ...failure, task }) : new RemoteError(failure);
}
