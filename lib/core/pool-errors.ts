// SPDX-License-Identifier: MIT
//
// The errors of pools. They belong to the table of errors.ts, which says what all errors have in common.
import { constants } from 'node:os';

import { MultiprocessingError } from './errors.js';

/** What a worker reports of an error of the function. */
export interface RemoteReport {
  /** The class of the error: its name in Node, its module and name in Python (without `builtins`). */
  readonly type: string;
  /** Its message, without its class. */
  readonly message: string;
  /** The arguments with which the exception was made, as far as they can be carried. */
  readonly args: readonly unknown[];
  /** The stack or the traceback. */
  readonly traceback: string;
}

/**
 * The function of a pool has failed in its worker. `cause` is the error itself where it can be carried: of a Node function with
 * its own properties, of a Python function if its class is known or registered. CPython: the exception, with a
 * `RemoteTraceback` as its `__cause__`.
 */
export class RemoteError extends MultiprocessingError {
  readonly code = 'ERR_MP_REMOTE';
  /** The class of the error: its name in Node; in Python its module and name, without the module for built-in ones. */
  readonly type: string;
  /** The arguments of a Python exception. CPython: `args`. */
  readonly args: readonly unknown[];
  /** The stack or the traceback in the worker. Not enumerable: the stack of this error or of its cause shows it. */
  declare readonly traceback: string;
  constructor({ type, message, args, traceback }: RemoteReport, options?: ErrorOptions) {
    super(message === '' ? type : `${type}: ${message}`, options);
    this.type = type;
    this.args = args;
    const hide = (name: string, value: string): void => {
      Object.defineProperty(this, name, { value, enumerable: false, configurable: true, writable: true });
    };
    hide('traceback', traceback);
    // Where the error was made says nothing: that is in the function.
    hide('stack', `${this.name}: ${this.message}${options?.cause === undefined ? `\n${traceback}` : ''}`);
  }
}

/** How a worker of a pool has ended, and what it was doing. */
export interface WorkerEnd {
  /** The number of the process. */
  readonly pid: number;
  /** As `exitcode` of a Process: negative for a signal. */
  readonly exitcode: number;
  /** The number of the task that it ran. */
  readonly task: number;
  /** Which attempt of the task it was. */
  readonly attempt: number;
  /** The end of what it has written to its standard error. */
  readonly stderrTail: string;
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}

/**
 * The worker ended while it ran the task: it was killed, it crashed, or the function ended the process. The pool replaces it.
 * CPython: none, there the caller waits for ever; `BrokenProcessPool` in concurrent.futures.
 */
export class WorkerDied extends MultiprocessingError {
  readonly code = 'ERR_MP_WORKER_DIED';
  /** The number of the process. */
  readonly pid: number;
  /** Its exit code, or null if a signal ended it. */
  readonly exitCode: number | null;
  /** The name of the signal that ended it, or null. */
  readonly signal: string | null;
  /** The number of the task that it ran. */
  readonly task: number;
  /** Which attempt of the task it was, from 1 on. */
  readonly attempt: number;
  /** The end of what the worker has written to its standard error, at most 4 KiB. */
  readonly stderrTail: string;
  constructor({ pid, exitcode, task, attempt, stderrTail }: WorkerEnd) {
    const signal = exitcode < 0 ? signalName(-exitcode) : null;
    const end = signal === null ? `ended with exit code ${exitcode}` : `was ended by ${signal}`;
    const hint = signal === 'SIGKILL' ? '. If no program has killed it, the system may have run out of memory' : '';
    super(`The worker with pid ${pid} ${end} while it ran task ${task}, attempt ${attempt}${hint}`);
    this.pid = pid;
    this.exitCode = signal === null ? exitcode : null;
    this.signal = signal;
    this.task = task;
    this.attempt = attempt;
    this.stderrTail = stderrTail;
  }
}

/** A task of a pool took longer than its `timeout`, or waited longer than its `queueTimeout`. CPython: `TimeoutError`. */
export class TaskTimeout extends MultiprocessingError {
  readonly code = 'ERR_MP_TASK_TIMEOUT';
  /** Whether the task was still waiting for a worker, or running. */
  readonly phase: 'queued' | 'running';
  /** The number of the task. */
  readonly task: number;
  constructor(phase: 'queued' | 'running', limitMs: number, task: number) {
    super(
      phase === 'queued'
        ? `Task ${task} has waited for a worker for its queueTimeout of ${limitMs} ms`
        : `Task ${task} has run for its timeout of ${limitMs} ms`,
    );
    this.phase = phase;
    this.task = task;
  }
}

/** As many tasks as `maxQueue` allows wait for a worker already. No CPython counterpart: there is no limit. */
export class PoolSaturated extends MultiprocessingError {
  readonly code = 'ERR_MP_POOL_SATURATED';
  /** The limit. */
  readonly maxQueue: number;
  constructor(maxQueue: number) {
    super(`${maxQueue} tasks wait for a worker, which is the maxQueue of the pool: try again after its 'drain' event`);
    this.maxQueue = maxQueue;
  }
}

/** The pool was closed or terminated, or cannot run its function; then `cause` says why. CPython: `ValueError`. */
export class PoolClosed extends MultiprocessingError {
  readonly code = 'ERR_MP_POOL_CLOSED';
  constructor(message = 'The pool was closed: it takes no more tasks', options?: ErrorOptions) {
    super(message, options);
  }
}
