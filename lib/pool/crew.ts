// SPDX-License-Identifier: MIT
//
// The workers of a pool: how many there are, when one is started, recycled, sent away or replaced.
import { PoolClosed } from '../core/pool-errors.js';
import { rejectAtAwait } from '../core/user-stack.js';
import { Brake } from './brake.js';
import type { Listeners, WorkerEvent } from './events.js';
import { anonymousMemory } from './memory.js';
import type { CrewOptions } from './options.js';
import { PoolWorker, type Launcher, type WorkerOwner } from './pool-worker.js';
import type { WorkerMessage } from './protocol.js';
import type { Task } from './task.js';
import type { StreamName } from './worker-output.js';

/** What start() fails with while the system lacks something. It passes, so the tasks wait for it. */
const PASSING = ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** What a crew tells and asks its scheduler. */
export interface CrewOwner {
  /** Whether a task waits that any worker may take. */
  wanted(): boolean;
  /** A worker may take a task. */
  free(): void;
  /** A worker takes no more tasks. */
  gone(worker: PoolWorker): void;
  /** A worker was started, is ready, or has ended. */
  worker(event: WorkerEvent): void;
  finished(worker: PoolWorker, task: Task | undefined, message: WorkerMessage): void;
  about(worker: PoolWorker, task: Task, message: WorkerMessage): void;
  /** A worker has ended in the middle of a task. */
  died(worker: PoolWorker, task: Task, exitcode: number): void;
  /** A worker has ended before it began a task that it was sent ahead. */
  returned(task: Task): void;
  /** No worker can be started any more. */
  broken(error: Error): void;
}

/** Settles a promise from outside. */
type Waiter = (failure?: Promise<never>) => void;

export class Crew implements WorkerOwner {
  readonly #launcher: Launcher;
  readonly #options: CrewOptions;
  readonly #listeners: Listeners;
  readonly #owner: CrewOwner;
  readonly #brake: Brake;
  readonly workers = new Set<PoolWorker>();
  /** Whether a worker has ever become ready. */
  #proven = false;
  #closing = false;
  #failure: Error | undefined;
  readonly #readyWaiters: Waiter[] = [];
  readonly #endWaiters: (() => void)[] = [];
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(launcher: Launcher, options: CrewOptions, listeners: Listeners, owner: CrewOwner) {
    this.#launcher = launcher;
    this.#options = options;
    this.#listeners = listeners;
    this.#owner = owner;
    this.#brake = new Brake(() => this.#refill());
    try {
      while (this.workers.size < options.minProcesses) this.#start();
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  get hasIdle(): boolean {
    for (const { state } of this.workers) if (state === 'idle') return true;
    return false;
  }

  get #hasReady(): boolean {
    for (const { wasReady } of this.workers) if (wasReady) return true;
    return false;
  }

  /** The workers that can take a task. */
  idle(): PoolWorker[] {
    return [...this.workers].filter(({ state }) => state === 'idle');
  }

  /** The workers that had better get a task ahead, since they end each one soon. */
  quick(): PoolWorker[] {
    const { maxTasksPerChild, maxRss } = this.#options;
    // Either could end a worker before it begins the task.
    if (maxTasksPerChild !== Infinity || maxRss !== Infinity) return [];
    return [...this.workers].filter((worker) => worker.state === 'busy' && worker.isQuick && !worker.ahead);
  }

  /** The worker that runs a task. */
  workerOf(task: Task): PoolWorker | undefined {
    for (const worker of this.workers) if (worker.task === task) return worker;
    return undefined;
  }

  /** Starts another worker if there may be more and none is about to be free. */
  grow(): void {
    const starting = [...this.workers].some(({ state }) => state === 'starting');
    if (starting || this.#closing || this.#brake.on || this.workers.size >= this.#options.processes) return;
    this.#tryToStart();
  }

  ready(): Promise<void> {
    return new Promise((resolve) => {
      this.#readyWaiters.push(resolve);
      this.#tellReady();
    });
  }

  /** The workers end after their tasks, and are not replaced. */
  end(): void {
    this.#closing = true;
    this.#brake.stop();
    clearTimeout(this.#idleTimer);
    for (const worker of this.workers) {
      if (worker.state === 'starting') worker.kill();
      else if (worker.task === undefined && worker.state !== 'cancelling') worker.end();
    }
    this.#tellEnded();
  }

  /** Ends the workers at once. */
  kill(): void {
    this.end();
    for (const worker of this.workers) worker.kill();
  }

  whenEnded(): Promise<void> {
    return new Promise((resolve) => {
      this.#endWaiters.push(resolve);
      this.#tellEnded();
    });
  }

  becameReady(worker: PoolWorker): void {
    this.#proven = true;
    this.#brake.started();
    this.#emit(worker, 'ready');
    this.#tellReady();
    this.#freed(worker);
  }

  finished(worker: PoolWorker, task: Task | undefined, message: WorkerMessage): void {
    this.#brake.succeeded();
    if (this.#isUsedUp(worker)) {
      this.#owner.gone(worker);
      worker.end();
    }
    this.#owner.finished(worker, task, message);
    this.#freed(worker);
  }

  about(worker: PoolWorker, task: Task, message: WorkerMessage): void {
    this.#owner.about(worker, task, message);
  }

  line({ pid, task }: PoolWorker, stream: StreamName, line: string): boolean {
    return this.#listeners.tell('output', { stream, line, pid, task: task?.id });
  }

  ended(worker: PoolWorker, exitcode: number, error: Error | undefined): void {
    this.workers.delete(worker);
    this.#emit(worker, 'ended', exitcode);
    const { task, ahead } = worker;
    worker.task = undefined;
    this.#owner.gone(worker);
    if (task !== undefined) this.#owner.died(worker, task, exitcode);
    if (ahead !== undefined) this.#owner.returned(ahead);
    if (this.#closing) {
      this.#tellEnded();
      return;
    }
    const regular = worker.killed || worker.isDismissed;
    if (!regular) this.#slowDown(worker.wasReady);
    const hopeless = !this.#proven || (this.#brake.hopeless && !this.#hasReady);
    if (error !== undefined && hopeless) this.#break(error);
    else this.#refill();
  }

  #start(): void {
    const used = new Set([...this.workers].map(({ index }) => index));
    let index = 0;
    while (used.has(index)) index++;
    const worker = new PoolWorker(this.#launcher, index, this.#options.killTimeout, this);
    this.workers.add(worker);
    this.#emit(worker, 'started');
  }

  #tryToStart(): void {
    try {
      this.#start();
    } catch (error) {
      const delay = this.#slowDown(false);
      const passes = PASSING.includes(String((error as NodeJS.ErrnoException).code));
      if (this.#brake.hopeless && !this.#hasReady && !passes) this.#break(error as Error);
      else if (delay === 0) this.#tryToStart();
    }
  }

  /** After a worker has ended by itself, or could not be started. Returns the delay until the next start. */
  #slowDown(wasReady: boolean): number {
    const delay = this.#brake.died(wasReady);
    if (delay > 0) this.#listeners.tell('brake', { deaths: this.#brake.deaths, delay });
    return delay;
  }

  /** Starts the workers that are missing. */
  #refill(): void {
    if (this.#closing || this.#brake.on) return;
    while (this.workers.size < this.#options.minProcesses && !this.#brake.on && !this.#closing) this.#tryToStart();
    if (this.#owner.wanted()) this.grow();
  }

  #break(error: Error): void {
    this.#failure = error;
    this.#tellReady();
    this.#owner.broken(error);
  }

  /** A worker may be idle now. */
  #freed(worker: PoolWorker): void {
    if (worker.state === 'idle') this.#owner.free();
    if (worker.state !== 'idle') return;
    if (this.#closing) worker.end();
    else this.#watchIdle();
  }

  #isUsedUp(worker: PoolWorker): boolean {
    const { maxTasksPerChild, maxRss } = this.#options;
    if (worker.tasks >= maxTasksPerChild) return true;
    return maxRss !== Infinity && anonymousMemory(worker.pid) > maxRss;
  }

  /** Sends idle workers away, as many as are not needed. */
  #watchIdle(): void {
    const { idleTimeout, minProcesses } = this.#options;
    if (idleTimeout === Infinity || this.#idleTimer !== undefined || this.workers.size <= minProcesses) return;
    const oldest = Math.min(...this.idle().map(({ idleSince }) => idleSince));
    if (oldest === Infinity) return;
    const left = Math.max(0, oldest + idleTimeout - performance.now());
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      const now = performance.now();
      const expired = this.idle().filter(({ idleSince }) => idleSince + idleTimeout <= now + 1);
      for (const worker of expired.slice(0, Math.max(0, this.workers.size - minProcesses))) {
        this.#owner.gone(worker);
        worker.end();
      }
      this.#watchIdle();
    }, left).unref();
  }

  #emit({ pid, index }: PoolWorker, type: 'started' | 'ready' | 'ended', exitcode?: number): void {
    const end = exitcode === undefined ? {} : { exitcode };
    this.#owner.worker({ type, pid, index, ...end });
  }

  #tellReady(): void {
    const count = [...this.workers].filter(({ wasReady }) => wasReady).length;
    const failure =
      this.#failure ?? (this.#closing ? new PoolClosed('The pool was closed before it was ready') : undefined);
    if (failure === undefined && count < this.#options.minProcesses) return;
    for (const settle of this.#readyWaiters.splice(0)) settle(failure && rejectAtAwait(failure));
  }

  #tellEnded(): void {
    if (!this.#closing) return;
    this.#tellReady();
    if (this.workers.size > 0) return;
    for (const resolve of this.#endWaiters.splice(0)) resolve();
  }
}
