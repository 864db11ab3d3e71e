// SPDX-License-Identifier: MIT
//
// The tasks of a pool whose workers are elsewhere: they are put on a queue, and settled by what comes back on another one.
import { startLimits, throwIfAborted } from '../../../core/deadline.js';
import { ClosedError, NotSupported } from '../../../core/errors.js';
import { isKeysGone } from '../../../core/redis-errors.js';
import { PoolClosed, PoolSaturated, TaskTimeout } from '../../../core/pool-errors.js';
import type { Listeners, PoolStats } from '../../../pool/events.js';
import { Times } from '../../../pool/statistics.js';
import { Task, type Job, type TaskEnds, type TaskScheduler } from '../../../pool/task.js';
import type { RedisQueue } from '../queue.js';
import { errorOf, type ResultItem, type TaskItem } from './messages.js';

/** How many results one command gets. */
const MOST_RESULTS = 500;

/** The pause before the next attempt to get results from a Redis that is away. */
const PAUSE_MS = 100;

/** What a scheduler needs of its pool. */
export interface Remote {
  /** The name of the pool among all of its callers. */
  readonly pool: string;
  readonly tasks: RedisQueue<TaskItem>;
  readonly results: RedisQueue<ResultItem>;
  readonly maxQueue: number;
  readonly leaseTime: number;
  /** Tells workers, as far as they listen, that tasks have no reader any more. */
  cancel(ids: readonly string[]): Promise<void>;
}

export class RemoteScheduler implements TaskScheduler {
  readonly #remote: Remote;
  readonly #listeners: Listeners;
  readonly #pending = new Map<string, Task>();
  readonly #wait = new Times();
  readonly #run = new Times();
  readonly #ends: TaskEnds = {
    ended: ({ id }, failure) => {
      if (failure === undefined) this.#done++;
      else this.#failed++;
      this.#pending.delete(`${this.#remote.pool}:${id}`);
      if (this.#pending.size === 0) this.#listeners.tell('drain');
      this.#endWhenDone();
    },
  };
  #last = 0;
  #done = 0;
  #failed = 0;
  #refusal: (() => Error) | undefined;
  #receiving = false;
  #ending = false;
  /** Settled when workers were told what is not wanted any more. */
  #cancelled: Promise<void> | undefined;
  #resolveEnded: () => void = () => undefined;
  readonly #whenEnded = new Promise<void>((resolve) => (this.#resolveEnded = resolve));

  constructor(remote: Remote, listeners: Listeners) {
    this.#remote = remote;
    this.#listeners = listeners;
  }

  submit(job: Job): Task {
    const { timeout, queueTimeout, signal, retries } = job.limits;
    throwIfAborted({ timeout: Infinity, signal });
    if (this.#refusal !== undefined) throw this.#refusal();
    const { pool, tasks, maxQueue } = this.#remote;
    if (this.#pending.size >= maxQueue) throw new PoolSaturated(maxQueue);
    const task = new Task(++this.#last, job, this.#ends);
    const id = `${pool}:${task.id}`;
    this.#pending.set(id, task);
    task.queuedAt = performance.now();
    const limits = { timeout: queueTimeout, signal };
    const late = (): Error => new TaskTimeout('queued', queueTimeout, task.id);
    task.stopLimits = startLimits(limits, true, late, (error) => this.abandon(task, error));
    const { mode, target, args } = job;
    const tells = timeout !== Infinity || queueTimeout !== Infinity;
    const limit = timeout === Infinity ? undefined : timeout;
    tasks
      .put({ id, pool, mode, target, args, timeout: limit, attempts: retries + 1, tells })
      .catch((error: unknown) => task.failed(error));
    if (!this.#receiving) void this.#receive();
    return task;
  }

  abandon(task: Task, error: unknown): void {
    if (task.job === undefined) return;
    this.#remote.cancel([`${this.#remote.pool}:${task.id}`]).catch(ignore);
    task.failed(error);
  }

  grant(): void {
    throw noStreams();
  }

  closeStream(): void {
    throw noStreams();
  }

  async ready(): Promise<void> {
    await this.#remote.tasks.qsize();
  }

  close(): void {
    this.#refusal ??= () => new PoolClosed();
    this.#endWhenDone();
  }

  terminate(): void {
    this.#refusal ??= () => new PoolClosed();
    const ids = [...this.#pending.keys()];
    if (ids.length > 0) this.#cancelled = this.#remote.cancel(ids).catch(ignore);
    for (const task of this.#pending.values()) {
      task.failed(new PoolClosed('The pool was terminated before the task was done'));
    }
    this.#endWhenDone();
  }

  get isOpen(): boolean {
    return this.#refusal === undefined;
  }

  whenEnded(): Promise<void> {
    return this.#whenEnded;
  }

  /** The sockets of the client keep the event loop alive. */
  holdUntilEnded(): void {
    // Nothing else.
  }

  stats(): PoolStats {
    const running = [...this.#pending.values()].filter(({ sentAt }) => sentAt > 0).length;
    return {
      workers: [],
      queued: this.#pending.size - running,
      running,
      done: this.#done,
      failed: this.#failed,
      retried: 0,
      wait: this.#wait.summary(),
      run: this.#run.summary(),
    };
  }

  /** Settles tasks as long as the pool is open. */
  async #receive(): Promise<void> {
    this.#receiving = true;
    for (;;) {
      try {
        for (const item of await this.#remote.results.getMany(MOST_RESULTS)) this.#settle(item);
      } catch (error) {
        if (error instanceof ClosedError) return;
        if (isKeysGone(error)) {
          this.#broken(error as Error);
          return;
        }
        // Redis is away.
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  #settle({ id, began, value, failure }: ResultItem): void {
    const task = this.#pending.get(id);
    // A task that was given up, or whose lease had run out and which was done twice.
    const job = task?.job;
    if (task === undefined || job === undefined) return;
    const { timeout, signal } = job.limits;
    if (began === true) {
      if (task.sentAt === 0) this.#wait.record(performance.now() - task.queuedAt);
      task.sentAt = performance.now();
      task.stopLimits();
      // The worker ends an attempt itself. If it is gone, the next one begins when the lease has run out.
      const limits = { timeout: timeout + 2 * this.#remote.leaseTime, signal };
      const late = (): Error => new TaskTimeout('running', timeout, task.id);
      task.stopLimits = startLimits(limits, true, late, (error) => this.abandon(task, error));
      return;
    }
    this.#run.record(performance.now() - (task.sentAt || task.queuedAt));
    if (failure === undefined) task.done(value);
    else task.failed(errorOf(failure, task.id, timeout));
  }

  /** Results were lost: this process has not reached Redis for longer than they are kept. */
  #broken(error: Error): void {
    this.#refusal ??= () => new PoolClosed('The results of the pool are gone from Redis', { cause: error });
    for (const task of this.#pending.values()) task.failed(error);
  }

  #endWhenDone(): void {
    if (this.#refusal === undefined || this.#pending.size > 0 || this.#ending) return;
    this.#ending = true;
    void this.#end();
  }

  async #end(): Promise<void> {
    const { tasks, results } = this.#remote;
    await this.#cancelled;
    // What cannot be told to Redis expires there.
    await results.destroy().catch(ignore);
    await Promise.all([results.close().catch(ignore), tasks.close().catch(ignore)]);
    this.#resolveEnded();
  }
}

export function noStreams(): NotSupported {
  return new NotSupported('A RedisPool has no streams: call apply() or imap()');
}

function ignore(): void {
  // Best effort.
}
