// SPDX-License-Identifier: MIT
//
// Brings tasks and workers together. Every task is settled exactly once: by its worker, by the end of its worker, by a time
// limit or a signal, or by the end of the pool.
import { startLimits, throwIfAborted } from '../core/deadline.js';
import { PoolSaturated, TaskTimeout, WorkerDied, PoolClosed } from '../core/pool-errors.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { Crew } from './crew.js';
import { Diagnostics } from './diagnostics.js';
import { callListener, type Listeners, type PoolStats } from './events.js';
import type { CrewOptions } from './options.js';
import type { Launcher, PoolWorker } from './pool-worker.js';
import { fromWorker, toWorker, type LogBody, type WorkerMessage } from './protocol.js';
import { Times } from './statistics.js';
import { Task, type Job, type TaskEnds, type TaskScheduler } from './task.js';
import { TaskQueue } from './task-queue.js';

/** How often a task is sent again because its worker has ended before it had read the task. */
const MOST_LOST = 3;

/** A worker that ends a task in less time gets the next one ahead: else it would wait for most of the time. */
const QUICK_MS = 2;

export class Scheduler implements TaskScheduler {
  readonly #queue = new TaskQueue<PoolWorker>();
  readonly #crew: Crew;
  readonly #listeners: Listeners;
  readonly #diagnostics: Diagnostics;
  readonly #maxQueue: number;
  readonly #killTimeout: number;
  readonly #wait = new Times();
  readonly #run = new Times();
  readonly #keepAlive = new KeepAlive();
  readonly #ends: TaskEnds = {
    ended: (task, failure) => {
      if (failure === undefined) this.#done++;
      else this.#failed++;
      this.#diagnostics.done(task, failure);
      this.#open--;
      this.#keepAlive.end();
      this.#endWhenDone();
    },
  };
  #last = 0;
  #tickets = 0;
  #open = 0;
  #done = 0;
  #failed = 0;
  #retried = 0;
  /** Why no more tasks are taken. */
  #refusal: (() => Error) | undefined;

  constructor(
    launcher: Launcher,
    options: CrewOptions & { readonly maxQueue: number; readonly name: string },
    listeners: Listeners,
  ) {
    this.#listeners = listeners;
    this.#maxQueue = options.maxQueue;
    this.#killTimeout = options.killTimeout;
    this.#diagnostics = new Diagnostics(() => ({
      poolName: options.name,
      queueSize: this.#queue.length,
      // The first workers are started before there is a crew.
      idleWorkers: (this.#crew as Crew | undefined)?.idle().length ?? 0,
    }));
    this.#crew = new Crew(launcher, options, listeners, {
      wanted: () => this.#queue.hasShared,
      free: () => this.#pump(),
      gone: (worker) => this.#queue.forget(worker),
      worker: (event) => {
        this.#diagnostics.worker(event);
        this.#listeners.tell('worker', event);
      },
      finished: (worker, task, message) => this.#finished(worker, task, message),
      about: (worker, task, message) => this.#about(worker, task, message),
      died: (worker, task, exitcode) => this.#died(worker, task, exitcode),
      returned: (task) => this.#return(task),
      broken: (error) => this.#broken(error),
    });
  }

  /** Takes a job. Its promise side is told in every case; throws only before the job has begun. */
  submit(job: Job): Task {
    throwIfAborted({ timeout: Infinity, signal: job.limits.signal });
    if (this.#refusal !== undefined) throw this.#refusal();
    if (this.#queue.length >= this.#maxQueue && !this.#crew.hasIdle) throw new PoolSaturated(this.#maxQueue);
    const task = new Task(++this.#last, job, this.#ends);
    this.#open++;
    this.#keepAlive.begin();
    this.#enqueue(task, job);
    this.#diagnostics.submitted(task);
    this.#pump();
    return task;
  }

  /** Ends a task early, with this error. */
  abandon(task: Task, error: unknown): void {
    this.#crew.workerOf(task)?.cancel();
    task.failed(error);
  }

  /** Lets the worker of a stream send more items. */
  grant(task: Task, count: number): void {
    this.#crew.workerOf(task)?.control(toWorker.credit, count);
  }

  /** Ends a stream as if it had no more items. A generator that does not end in time is cancelled. */
  closeStream(task: Task): void {
    const worker = this.#crew.workerOf(task);
    if (worker === undefined) {
      task.done(undefined);
      return;
    }
    task.closing = true;
    // With a credit, so that a generator that waits for one looks.
    worker.control(toWorker.close, 1);
    task.stopLimits();
    const limits = { timeout: this.#killTimeout, signal: undefined };
    const timeoutError = (): Error => new TaskTimeout('running', limits.timeout, task.id);
    task.stopLimits = startLimits(limits, true, timeoutError, () => {
      worker.cancel();
      task.done(undefined);
    });
  }

  /** Resolves when every worker that is started at first can take tasks. */
  async ready(): Promise<void> {
    this.#keepAlive.begin();
    try {
      await this.#crew.ready();
    } finally {
      this.#keepAlive.end();
    }
  }

  /** Takes no more tasks. The workers end after the last one. */
  close(): void {
    this.#refusal ??= () => new PoolClosed();
    this.#endWhenDone();
  }

  /** Ends all tasks and all workers. */
  terminate(): void {
    this.#refusal ??= () => new PoolClosed();
    const why = (): Error => new PoolClosed('The pool was terminated before the task was done');
    for (const task of this.#queue.clear()) task.failed(why());
    for (const { task, ahead } of this.#crew.workers) for (const sent of [task, ahead]) sent?.failed(why());
    this.#crew.kill();
  }

  /** Whether it takes tasks. */
  get isOpen(): boolean {
    return this.#refusal === undefined;
  }

  /** Resolves when all workers have ended. */
  whenEnded(): Promise<void> {
    return this.#crew.whenEnded();
  }

  /** Whether records of the log have a listener. */
  get #logs(): boolean {
    return this.#listeners.has('log');
  }

  /** Keeps the event loop alive until the crew has ended. */
  holdUntilEnded(): void {
    this.#keepAlive.begin();
    void this.whenEnded().then(() => this.#keepAlive.end());
  }

  stats(): PoolStats {
    const { workers } = this.#crew;
    return {
      workers: [...workers].map(({ pid, index, state, tasks }) => ({ pid, index, state, tasks })),
      queued: this.#queue.length + [...workers].filter(({ ahead }) => ahead !== undefined).length,
      running: [...workers].filter(({ task }) => task !== undefined).length,
      done: this.#done,
      failed: this.#failed,
      retried: this.#retried,
      wait: this.#wait.summary(),
      run: this.#run.summary(),
    };
  }

  #endWhenDone(): void {
    if (this.#refusal !== undefined && this.#open === 0) this.#crew.end();
  }

  #enqueue(task: Task, { limits: { queueTimeout, signal } }: Job, first = false): void {
    task.queuedAt = performance.now();
    if (queueTimeout !== Infinity || signal !== undefined) {
      const timeoutError = (): Error => new TaskTimeout('queued', queueTimeout, task.id);
      task.stopLimits = startLimits({ timeout: queueTimeout, signal }, true, timeoutError, (error) => {
        this.abandon(task, error);
      });
    }
    if (first) this.#queue.unshift(task);
    else this.#queue.push(task);
  }

  #pump(): void {
    if (this.#queue.length === 0) return;
    for (const worker of this.#crew.idle()) {
      // A task that cannot be sent leaves the worker idle.
      const task = this.#queue.take(worker);
      if (task !== undefined) this.#dispatch(worker, task);
    }
    for (const worker of this.#crew.quick()) {
      const task = this.#queue.takeAhead();
      if (task === undefined) break;
      this.#dispatch(worker, task);
    }
    if (this.#queue.length === 0) {
      this.#diagnostics.drained();
      this.#listeners.tell('drain');
    } else if (this.#queue.hasShared) {
      this.#crew.grow();
    }
  }

  #dispatch(worker: PoolWorker, task: Task): void {
    const { job } = task;
    if (job === undefined) return;
    task.stopLimits();
    task.sentAt = performance.now();
    task.ticket = ++this.#tickets;
    this.#wait.record(task.sentAt - task.queuedAt);
    const { mode, target, args, kwargs, credits, context } = job;
    const { id, ticket, attempt } = task;
    const message = {
      id,
      ticket,
      attempt,
      target,
      args,
      kwargs,
      mode,
      credits,
      logs: this.#logs,
      context,
      progress: job.progress !== undefined,
    };
    this.#limitRun(task, job);
    worker.run(task, message).catch((error: unknown) => {
      const { code, syscall } = error as NodeJS.ErrnoException;
      // A worker that has ended is noticed by its end. One that was sent a part of the task cannot be sent anything else.
      if (syscall === 'write') {
        if (code !== 'EPIPE' && code !== 'ECONNRESET') worker.kill();
        return;
      }
      // All other errors are about the values, such as a lack of descriptors for them.
      if (!worker.notSent(task)) return;
      task.failed(error);
      this.#pump();
    });
  }

  /** Streams watch the time of each item themselves. */
  #limitRun(task: Task, { mode, limits: { timeout, signal } }: Job): void {
    const limit = mode === 'stream' ? Infinity : timeout;
    if (limit === Infinity && signal === undefined) return;
    const timeoutError = (): Error => new TaskTimeout('running', limit, task.id);
    task.stopLimits = startLimits({ timeout: limit, signal }, true, timeoutError, (error) => {
      this.#crew.workerOf(task)?.cancel();
      if (error instanceof TaskTimeout && task.mayRetry) this.#again(task);
      else task.failed(error);
    });
  }

  /** Queues another attempt. */
  #again(task: Task): void {
    const { job } = task;
    if (job === undefined) return;
    task.stopLimits();
    task.attempt++;
    this.#retried++;
    this.#enqueue(task, job, true);
    this.#pump();
  }

  #finished(worker: PoolWorker, task: Task | undefined, message: WorkerMessage): void {
    if (task !== undefined) {
      const time = performance.now() - task.sentAt;
      worker.isQuick = time < QUICK_MS;
      this.#run.record(time);
      if (message.kind === fromWorker.error) task.failed(errorIn(worker, message));
      else this.#decoded(task, message, (value) => task.done(value));
    }
    this.#pump();
  }

  #about(worker: PoolWorker, task: Task, message: WorkerMessage): void {
    const { kind } = message;
    if (kind === fromWorker.item) {
      task.delivered = true;
      this.#decoded(task, message, (value) => task.job?.item?.(value));
    } else if (kind === fromWorker.progress) {
      this.#decoded(task, message, (body) => {
        const [done, total] = body as [number, number | null | undefined];
        task.job?.progress?.(done, total ?? undefined);
      });
    } else if (kind === fromWorker.log) {
      this.#decoded(task, message, (body) => {
        const { level, name, message: text } = body as LogBody;
        this.#listeners.tell('log', { level, name, message: text, pid: worker.pid, task: task.id });
      });
    }
  }

  /** Gives the body of a message to a function. If the body cannot be decoded, the task fails. */
  #decoded(task: Task, message: WorkerMessage, use: (body: unknown) => void): void {
    let body: unknown;
    try {
      body = message.read();
    } catch (error) {
      if (message.kind === fromWorker.done) task.failed(error);
      else this.abandon(task, error);
      return;
    }
    callListener(() => use(body));
  }

  #died(worker: PoolWorker, task: Task, exitcode: number): void {
    if (task.closing) {
      task.done(undefined);
    } else if (worker.hasMissedTask && task.lost < MOST_LOST && task.job !== undefined) {
      // The worker has ended for another reason.
      task.lost++;
      this.#return(task);
    } else if (task.mayRetry) {
      this.#again(task);
    } else {
      const { pid, stderrTail } = worker;
      task.failed(new WorkerDied({ pid, exitcode, task: task.id, attempt: task.attempt, stderrTail }));
    }
  }

  /** Queues a task again that no worker has begun. */
  #return(task: Task): void {
    if (task.job === undefined) return;
    task.stopLimits();
    this.#enqueue(task, task.job, true);
    this.#pump();
  }

  #broken(error: Error): void {
    this.#refusal ??= () => new PoolClosed(`The pool cannot run its function: ${error.message}`, { cause: error });
    for (const task of this.#queue.clear()) task.failed(error);
    this.#crew.end();
  }
}

/** The error of a task; or why there is none, since user code of the worker can write anything. */
function errorIn({ link }: PoolWorker, message: WorkerMessage): unknown {
  try {
    return link.errorOf(message);
  } catch (error) {
    return error;
  }
}
