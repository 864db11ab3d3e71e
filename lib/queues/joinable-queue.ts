// SPDX-License-Identifier: MIT
import { defineAliases } from '../core/aliases.js';
import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { TaskDoneError, TimeoutError } from '../core/errors.js';
import { Queue, type QueueSource } from './queue.js';
import type { QueueOptions } from './options.js';
import type { Joinable, QueueResources } from './queue-resources.js';
import { run, runSync } from '../event-loop/driver.js';
import { makeFair } from '../event-loop/fair-calls.js';
import { POLL_MS } from './transport.js';
import type { SemaphoreWaits } from '../synchronize/semaphore-wait.js';

/**
 * A Queue that counts which items have been processed. CPython: `multiprocessing.JoinableQueue`.
 *
 * A consumer calls `taskDone` after it has processed an item; `join` waits until all items are processed.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /** @param options The largest number of items on the queue (0 or less, the default: no limit), or options. */
  constructor(options?: number | QueueOptions);
  /** @internal For an existing queue. */
  constructor(resources: QueueResources);
  constructor(source?: QueueSource) {
    super(source, true);
  }

  /**
   * Marks one item that was got as processed. CPython: `task_done()`. Rejects with `TaskDoneError` if no item is
   * unprocessed, `ClosedError`, or `OwnerDied`.
   */
  async taskDone(): Promise<void> {
    this.checkOpen();
    await run(this.#taskDoneSteps('taskDone'), this.keepAlive);
  }

  /** As `taskDone`, blocking the thread. */
  taskDoneSync(): void {
    this.checkOpen();
    this.#joinable.condition.checkNoWaitPending('taskDoneSync');
    runSync(this.#taskDoneSteps('taskDoneSync'), 'taskDoneSync');
  }

  /**
   * Resolves when every item that was put has been processed. CPython: `join()`.
   *
   * Rejects with `TimeoutError`, `ClosedError`, `OwnerDied`, or an AbortError; with `ShutDown` or `QueueBroken` if
   * items are left that can no longer be got.
   */
  async join(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = checkLimits(options);
    this.checkOpen();
    const ended = new AbortController();
    const stopListening = this.#onEnd(() => {
      ended.abort();
    });
    try {
      const eitherSignal = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
      await run(this.#joinSteps('join', deadlineAfter(timeout), eitherSignal), this.keepAlive);
    } catch (error) {
      if (ended.signal.aborted && signal?.aborted !== true) throw this.transport.end ?? error;
      throw error;
    } finally {
      stopListening();
    }
  }

  /** As `join`, blocking the thread. */
  joinSync(options?: WaitOptions): void {
    const { timeout } = checkLimits(options);
    this.checkOpen();
    runSync(this.#joinSteps('joinSync', deadlineAfter(timeout), undefined), 'joinSync');
  }

  get #joinable(): Joinable {
    return this.resources.joinable as Joinable;
  }

  #taskDoneSteps(operation: string): SemaphoreWaits<void> {
    const { condition } = this.#joinable;
    return condition.lockedSteps((owner) => {
      if (!this.transport.taskDone()) throw new TaskDoneError();
      return this.#isFinished() ? condition.notifySteps(owner, Infinity, operation) : { value: undefined };
    });
  }

  #joinSteps(operation: string, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<void> {
    const { condition } = this.#joinable;
    const { transport } = this;
    const isFinished = (): boolean => this.#isFinished();
    return condition.lockedSteps(function* (owner): SemaphoreWaits<void> {
      while (!isFinished()) {
        const { end } = transport;
        if (end !== undefined) throw end;
        // When items are lost with a process no member calls taskDone for them, so nothing wakes this one.
        const until = Math.min(deadline, performance.now() + POLL_MS);
        if (yield* condition.waitSteps(owner, until, signal)) continue;
        if (performance.now() >= deadline) throw new TimeoutError(operation);
        transport.checkAccounts();
      }
    });
  }

  /**
   * Whether no item is unfinished. The caller holds the lock, so where the value of a semaphore cannot be read, this can
   * take a count and give it back. A process that is killed in between leaves one count too few.
   */
  #isFinished(): boolean {
    const { unfinished } = this.#joinable;
    if (process.platform !== 'darwin') return unfinished.value === 0;
    if (!unfinished.tryAcquire()) return true;
    unfinished.post();
    return false;
  }

  /** Calls `callback` when the unfinished items can no longer be finished. Returns a function that cancels this. */
  #onEnd(callback: () => void): () => void {
    let stopListening = (): void => undefined;
    const listen = (): void => {
      stopListening = this.transport.onceChanged(() => {
        if (this.transport.end !== undefined) callback();
        else listen();
      });
    };
    if (this.transport.end !== undefined) callback();
    else listen();
    return () => {
      stopListening();
    };
  }
}

/** CPython's spelling of a method, which behaves like the camelCase one. */
export interface JoinableQueue<T> {
  /** `taskDone` */
  task_done: JoinableQueue<T>['taskDone'];
}

makeFair(JoinableQueue.prototype);
defineAliases(JoinableQueue.prototype);
