// SPDX-License-Identifier: MIT
import type { TaskContext } from './context.js';
import type { PoolStats } from './events.js';
import type { Mode } from './protocol.js';

/** How a task is scheduled. */
export interface TaskLimits {
  /** Longest time in a worker, in milliseconds; of a stream, longest wait for an item. */
  readonly timeout: number;
  /** Longest time in the queue, in milliseconds. */
  readonly queueTimeout: number;
  readonly signal: AbortSignal | undefined;
  /** Tasks of a higher priority come first. */
  readonly priority: number;
  /** Tasks of one key go to one worker, while it lives. */
  readonly key: unknown;
  /** How many more attempts follow a death or a timeout. */
  readonly retries: number;
}

/** What is to be done, and what is told of it. Of `done` and `failed` one is called, once. */
export interface Job {
  readonly mode: Mode;
  readonly target: string | undefined;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>> | undefined;
  /** How many items of a stream may be on their way. */
  readonly credits: number;
  readonly limits: TaskLimits;
  readonly context: TaskContext | undefined;
  /** Whether it may be sent to a worker that has not ended its present task. */
  readonly ahead?: boolean | undefined;
  /** The pool, which is not collected while it has the job. */
  readonly owner: object;
  done(value: unknown): void;
  failed(error: unknown): void;
  readonly item?: ((value: unknown) => void) | undefined;
  readonly progress?: ((done: number, total: number | undefined) => void) | undefined;
}

/** What takes the jobs of a pool, and brings them to workers. */
export interface TaskScheduler {
  /** Takes a job. Its promise side is told in every case; throws only before the job has begun. */
  submit(job: Job): Task;
  /** Ends a task early, with this error. */
  abandon(task: Task, error: unknown): void;
  /** Lets the worker of a stream send more items. */
  grant(task: Task, count: number): void;
  /** Ends a stream as if it had no more items. */
  closeStream(task: Task): void;
  /** Resolves when tasks can be run. */
  ready(): Promise<void>;
  /** Takes no more tasks, and ends when those that were taken are done. */
  close(): void;
  /** Ends all tasks. */
  terminate(): void;
  /** Whether it takes tasks. */
  readonly isOpen: boolean;
  /** Resolves when it has ended. */
  whenEnded(): Promise<void>;
  /** Keeps the event loop alive until then. */
  holdUntilEnded(): void;
  stats(): PoolStats;
}

/** What learns of the end of each task, before its job does. */
export interface TaskEnds {
  /** @param failure Has the error of a task that has failed. */
  ended(task: Task, failure?: { readonly error: unknown }): void;
}

/** A job in a pool: queued, running, or settled. */
export class Task {
  readonly id: number;
  /** Undefined once it is settled, so that what the job refers to can be collected. */
  #job: Job | undefined;
  readonly #ends: TaskEnds;
  readonly priority: number;
  readonly key: unknown;
  attempt = 1;
  /** The number of this attempt among all attempts of the pool. */
  ticket = 0;
  /** How often a worker ended before it had read the task. */
  lost = 0;
  /** Whether an item was delivered, after which the task cannot be repeated. */
  delivered = false;
  /** Whether its stream is being closed, so that nothing but its end is waited for. */
  closing = false;
  /** When it was queued and when it was sent to a worker, in milliseconds. */
  queuedAt = 0;
  sentAt = 0;
  /** Ends the present time limit. */
  stopLimits: () => void = () => undefined;
  /** Where it waits is told when it is settled there. */
  onSettled: (() => void) | undefined;

  constructor(id: number, job: Job, ends: TaskEnds) {
    this.id = id;
    this.#job = job;
    this.#ends = ends;
    this.priority = job.limits.priority;
    this.key = job.limits.key;
  }

  /** Undefined once it is settled. */
  get job(): Job | undefined {
    return this.#job;
  }

  /** Whether another attempt may follow one that ended with a death or a timeout. */
  get mayRetry(): boolean {
    return this.#job !== undefined && this.attempt <= this.#job.limits.retries && !this.delivered;
  }

  done(value: unknown): void {
    this.#settle(undefined)?.done(value);
  }

  failed(error: unknown): void {
    this.#settle({ error })?.failed(error);
  }

  #settle(failure: { readonly error: unknown } | undefined): Job | undefined {
    const job = this.#job;
    this.#job = undefined;
    this.stopLimits();
    if (job !== undefined) {
      this.onSettled?.();
      this.#ends.ended(this, failure);
    }
    return job;
  }
}
