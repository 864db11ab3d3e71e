// SPDX-License-Identifier: MIT
import { defineAliases } from '../../core/aliases.js';
import { checkLimits, type WaitOptions } from '../../core/deadline.js';
import { ClosedError, NotSupported, ShutDown, TaskDoneError, TimeoutError } from '../../core/errors.js';
import { notLeased, UnfinishedItemsError, type LeaseHolder } from '../../core/lease-errors.js';
import { makeFair } from '../../event-loop/fair-calls.js';
import { PendingCall } from '../../event-loop/pending-call.js';
import type { QueueWaitOptions } from '../../queues/base-queue.js';
import { BaseLease } from '../../queues/base-lease.js';
import { OK } from './engine.js';
import type { Ending, Found, RedisLeases } from './leases.js';
import type { RedisQueueOptions } from './options.js';
import { RedisQueue } from './queue.js';
import { noKeeper } from './reader.js';
import { RedisWaker } from './waker.js';

/** An item of a RedisJoinableQueue, together with the receipt for it. `getLease` resolves to this. */
export class RedisLease<T = unknown> extends BaseLease<T> {
  readonly #leases: RedisLeases;
  readonly #found: Found;

  /** @internal */
  constructor(leases: RedisLeases, found: Found, item: T) {
    super(item, found.deliveries);
    this.#leases = leases;
    this.#found = found;
  }

  /** @internal */
  protected override endLease(finished: boolean): Promise<void> {
    const ending: Ending = finished ? 'done' : 'release';
    return this.#leases.end(this.#found, ending);
  }
}

/**
 * A RedisQueue that counts which items have been processed. CPython: `multiprocessing.JoinableQueue`.
 *
 * An item is leased by the consumer that gets it, until `taskDone` or its lease ends that. If the consumer dies before, or cannot
 * reach Redis for longer than `leaseTime`, the item is handed out again.
 */
export class RedisJoinableQueue<T = unknown> extends RedisQueue<T> {
  readonly #counted: boolean;
  /** How many items of a queue with `ack: 'get'` were got here and not finished. */
  #got = 0;
  readonly #joins = new Set<PendingCall<void>>();
  readonly #waker: RedisWaker;

  /** Makes the queue in Redis with its first call, or joins the one of this name. */
  constructor(options: RedisQueueOptions<RedisQueue<T>>) {
    super(options, true);
    this.#counted = options.ack === 'get';
    this.#waker = new RedisWaker(this.engine, 'idle', () => void this.#lookForEnd());
  }

  /**
   * As `get`, but resolves to the item together with its receipt. The receipt ends this very lease, in any order, and says how
   * often the item was handed out; `taskDone` ends the oldest lease of this consumer.
   *
   * Rejects as `get`, and with `NotSupported` for a queue with `ack: 'get'`.
   */
  async getLease(options?: QueueWaitOptions): Promise<RedisLease<T>> {
    if (this.#counted) throw new NotSupported("This queue has no leases: leave out ack: 'get'");
    const [found] = (await this.find(1, options)) as [Found];
    return new RedisLease(this.leases, found, await this.decode(found));
  }

  /**
   * Marks the item that this consumer has had for the longest time as processed. CPython: `task_done()`. Rejects with
   * `TaskDoneError` if this consumer has none, or the lease has run out and the item goes to another one; `ClosedError`; or
   * `RedisError`, after which the call can be repeated.
   */
  async taskDone(): Promise<void> {
    this.checkOpen();
    if (!this.#counted) {
      const { oldest } = this.leases;
      if (oldest === undefined) throw notLeased();
      await this.leases.end(oldest, 'done');
      return;
    }
    if (this.#got === 0) throw notLeased();
    this.#got--;
    const [status] = await this.engine.run('count');
    if (status !== OK) throw new TaskDoneError();
  }

  /**
   * Resolves when every item that was put has been processed. CPython: `join()`. Rejects with a `TimeoutError` that says which
   * consumers have items (`holders`), and how many items no consumer has (`waiting`); `ClosedError`; `RedisError`; `ShutDown`
   * if items are left that can no longer be got; or an AbortError.
   */
  async join(options?: WaitOptions): Promise<void> {
    const limits = checkLimits(options);
    this.checkOpen();
    const call = new PendingCall<void>(noKeeper);
    call.onEnd = () => {
      this.#joins.delete(call);
      this.#waker.needed = this.#joins.size > 0;
    };
    call.limit(
      limits,
      () => new TimeoutError('join'),
      (error) => {
        if (error instanceof TimeoutError) call.resolve(this.#report());
      },
    );
    this.#joins.add(call);
    void this.#lookForEnd();
    await call.promise;
  }

  /** @internal */
  protected override received(): void {
    if (this.#counted) this.#got++;
  }

  /** @internal */
  protected override async leave(): Promise<void> {
    this.#waker.close();
    for (const call of this.#joins) call.reject(new ClosedError('RedisJoinableQueue'));
    await super.leave();
  }

  async #lookForEnd(): Promise<void> {
    const calls = [...this.#joins];
    try {
      const { unfinished, down } = await this.look();
      for (const call of calls) {
        if (unfinished <= 0) call.resolve();
        else if (down === 'now') call.reject(new ShutDown());
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    this.#waker.needed = this.#joins.size > 0;
  }

  /** For a call whose time is up, which takes the time of one look. */
  async #report(): Promise<void> {
    const [{ depth, unfinished }, [, ...parts]] = await Promise.all([this.look(), this.engine.run('report')]);
    if (unfinished <= 0) return;
    const holders: LeaseHolder[] = [];
    for (let i = 0; i < parts.length; i += 3) {
      const [host = '', pid, thread] = String(parts[i]).split(':');
      holders.push({
        host,
        pid: Number(pid),
        thread: Number(thread),
        count: Number(parts[i + 1]),
        ms: Number(parts[i + 2]),
      });
    }
    throw new UnfinishedItemsError('join', { waiting: depth, holders });
  }
}

/** CPython's spelling of a method, which behaves like the camelCase one. */
export interface RedisJoinableQueue<T> {
  /** `taskDone` */
  task_done: RedisJoinableQueue<T>['taskDone'];
}

makeFair(RedisJoinableQueue.prototype, 'getLease', 'taskDone', 'join');
defineAliases(RedisJoinableQueue.prototype);
