// SPDX-License-Identifier: MIT
import { defineAliases } from '../core/aliases.js';
import { checkLimits, deadlineAfter, type WaitOptions } from '../core/deadline.js';
import { TaskDoneError, TimeoutError } from '../core/errors.js';
import { Queue, type QueueSource } from './queue.js';
import type { QueueOptions } from './options.js';
import type { Joinable, QueueResources } from './queue-resources.js';
import { run, runSync } from '../event-loop/driver.js';
import type { SemaphoreWaits } from '../synchronize/semaphore-wait.js';

/**
 * A Queue that counts which items have been processed. CPython: `multiprocessing.JoinableQueue`.
 *
 * Whoever gets an item calls `taskDone` when he is done with it; `join` waits until that was done for all.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /** @param options How many items may be on it (default, and for 0 or less: no limit), or options. */
  constructor(options?: number | QueueOptions);
  /** @internal For a queue that exists. */
  constructor(resources: QueueResources);
  constructor(source?: QueueSource) {
    super(source, true);
  }

  /**
   * Says that an item which was got has been processed. CPython: `task_done()`. Rejects with `TaskDoneError` if there is
   * none, `ClosedError`, or `OwnerDied`.
   */
  async taskDone(): Promise<void> {
    this.checkOpen();
    return run(this.#taskDoneSteps('taskDone'), this.keepAlive);
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
   * Rejects with `TimeoutError`, `ClosedError`, `OwnerDied`, or an AbortError; with `ShutDown` or `QueueBroken` if items
   * were left that nobody can get any more.
   */
  async join(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = checkLimits(options);
    this.checkOpen();
    const told = new AbortController();
    const untell = this.#onEnd(() => {
      told.abort();
    });
    try {
      const either = signal === undefined ? told.signal : AbortSignal.any([signal, told.signal]);
      await run(this.#joinSteps('join', deadlineAfter(timeout), either), this.keepAlive);
    } catch (error) {
      if (told.signal.aborted && signal?.aborted !== true) throw this.handle.end ?? error;
      throw error;
    } finally {
      untell();
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
    const { condition, unfinished } = this.#joinable;
    return condition.lockedSteps((owner) => {
      if (!unfinished.tryAcquire()) throw new TaskDoneError();
      return this.#isFinished() ? condition.notifySteps(owner, Infinity, operation) : { value: undefined };
    });
  }

  #joinSteps(operation: string, deadline: number, signal: AbortSignal | undefined): SemaphoreWaits<void> {
    const { condition } = this.#joinable;
    const { handle } = this;
    const isFinished = (): boolean => this.#isFinished();
    return condition.lockedSteps(function* (owner): SemaphoreWaits<void> {
      while (!isFinished()) {
        const { end } = handle;
        if (end !== undefined) throw end;
        if (!(yield* condition.waitSteps(owner, deadline, signal))) throw new TimeoutError(operation);
      }
    });
  }

  /** Whether nothing is unfinished. Asked with the lock, so that trying to take one works where values are not told. */
  #isFinished(): boolean {
    const { unfinished } = this.#joinable;
    if (!unfinished.tryAcquire()) return true;
    unfinished.post();
    return false;
  }

  /** Calls `callback` when what is unfinished cannot be finished any more. */
  #onEnd(callback: () => void): () => void {
    let untell = (): void => undefined;
    const listen = (): void => {
      untell = this.handle.onceTold(() => {
        if (this.handle.end !== undefined) callback();
        else listen();
      });
    };
    if (this.handle.end !== undefined) callback();
    else listen();
    return () => {
      untell();
    };
  }
}

/** CPython's own spelling of a method. Its behaviour is that of the camelCase one. */
export interface JoinableQueue<T> {
  /** `taskDone` */
  task_done: JoinableQueue<T>['taskDone'];
}

defineAliases(JoinableQueue.prototype);
