// SPDX-License-Identifier: MIT
//
// The events of a pool, and its state as `stats()` returns it.
import type { EventEmitter } from 'node:events';

import type { TimeSummary } from './statistics.js';
import type { StreamName } from './worker-output.js';

/** A worker at a point of its life. */
export interface WorkerEvent {
  /** It was started, can take tasks, or has ended. */
  readonly type: 'started' | 'ready' | 'ended';
  /** The number of its process. */
  readonly pid: number;
  /** The lowest number from 0 on that no other living worker had when it was started. */
  readonly index: number;
  /** For the end: as `exitcode` of a Process. */
  readonly exitcode?: number;
}

/** A line that a worker has written. */
export interface OutputEvent {
  /** Where it has written the line. */
  readonly stream: StreamName;
  /** The line, without its end. */
  readonly line: string;
  /** The number of the process. */
  readonly pid: number;
  /** The number of the task that it ran at that moment, if any. */
  readonly task: number | undefined;
}

/** A record that a task has logged, in Python with the module `logging`. */
export interface LogEvent {
  /** Such as `INFO`. */
  readonly level: string;
  /** The name of the logger. */
  readonly name: string;
  /** The text of the record. */
  readonly message: string;
  /** The number of the process. */
  readonly pid: number;
  /** The number of the task. */
  readonly task: number;
}

/** The replacement of workers is delayed, since they end one after the other. */
export interface BrakeEvent {
  /** How many workers have ended in a row without a success between them. */
  readonly deaths: number;
  /** When the next one is started, in milliseconds. */
  readonly delay: number;
}

/** The events of a pool, with the arguments of their listeners. */
export interface PoolEvents {
  /** A worker was started, is ready, or has ended. */
  worker: [WorkerEvent];
  /** A worker has written a line. Without a listener the line goes to the standard output or error of this process. */
  output: [OutputEvent];
  /** A task has logged a record. */
  log: [LogEvent];
  /** The replacement of workers is being slowed down. */
  brake: [BrakeEvent];
  /** No task waits for a worker any more. */
  drain: [];
}

/** A worker in `stats()`. */
export interface WorkerStats {
  /** The number of the process. */
  readonly pid: number;
  /** As in the events of the worker. */
  readonly index: number;
  /** It starts, waits for a task, runs one, is to give up one that timed out or was aborted, or ends. */
  readonly state: 'starting' | 'idle' | 'busy' | 'cancelling' | 'ending';
  /** How many tasks it has begun. */
  readonly tasks: number;
}

/** The state of a pool. */
export interface PoolStats {
  /** The workers that have not ended. */
  readonly workers: readonly WorkerStats[];
  /** Tasks that wait for a worker. */
  readonly queued: number;
  /** Tasks in workers. */
  readonly running: number;
  /** Tasks that have ended with a result. */
  readonly done: number;
  /** Tasks that have ended with an error. */
  readonly failed: number;
  /** Attempts after the first ones. */
  readonly retried: number;
  /** How long tasks have waited for a worker. */
  readonly wait: TimeSummary;
  /** How long the tasks that ended in a worker have run. */
  readonly run: TimeSummary;
}

/**
 * Calls a listener of the user. What it throws is an uncaught exception, as from a listener of any other emitter, and does not
 * concern the pool in the middle of its work.
 */
export function callListener<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
    return undefined;
  }
}

/** The listeners of a pool. They do not keep the pool from being collected: its tasks do, and its user. */
export class Listeners {
  readonly #pool: WeakRef<EventEmitter<PoolEvents>>;

  constructor(pool: EventEmitter<PoolEvents>) {
    this.#pool = new WeakRef(pool);
  }

  /** Returns whether there are any; also if one of them throws. */
  tell<K extends keyof PoolEvents>(name: K, ...args: PoolEvents[K]): boolean {
    const pool = this.#pool.deref();
    if (pool === undefined || pool.listenerCount(name) === 0) return false;
    callListener(() => pool.emit(name, ...(args as never)));
    return true;
  }

  /** Whether an event has any. */
  has(name: keyof PoolEvents): boolean {
    return (this.#pool.deref()?.listenerCount(name) ?? 0) > 0;
  }
}
