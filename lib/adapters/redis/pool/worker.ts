// SPDX-License-Identifier: MIT
import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { inspect } from 'node:util';

import { ChildProcessError, ClosedError, PicklingError, TaskDoneError, UnpicklingError } from '../../../core/errors.js';
import { PoolClosed } from '../../../core/pool-errors.js';
import { isKeysGone, RedisError } from '../../../core/redis-errors.js';
import { checkOptionNames } from '../../../core/validate.js';
import { makeFair } from '../../../event-loop/fair-calls.js';
import type { PoolStats } from '../../../pool/events.js';
import { Pool, poolNames, type NodePoolOptions } from '../../../pool/pool.js';
import type { Target } from '../../../process/process.js';
import { connectionOf, type RedisConnection } from '../client.js';
import { RedisJoinableQueue, type RedisLease } from '../joinable-queue.js';
import { RedisQueue } from '../queue.js';
import type { Found } from '../leases.js';
import {
  cancelledKey,
  failureOf,
  isTask,
  lostAttempt,
  RESULTS_EXPIRE_MS,
  type ResultItem,
  type TaskItem,
} from './messages.js';
import { queueNames, queueOptions, type PoolQueueOptions } from './options.js';
import { markAsOwn } from '../../../reduction/shareable.js';

type Workers<F extends Target> = Omit<
  NodePoolOptions<F>,
  'name' | 'maxQueue' | 'queueTimeout' | 'timeout' | 'retries' | 'context'
>;

/** Options of a RedisPoolWorker: those of the queues, and those of the Pool that runs the tasks. */
export interface RedisPoolWorkerOptions<F extends Target = Target> extends PoolQueueOptions, Workers<F> {}

const names = new Set([...poolNames, ...queueNames]);
for (const name of ['maxQueue', 'queueTimeout', 'timeout', 'retries', 'context']) names.delete(name);

/** The pause before the next attempt while Redis is away. */
const PAUSE_MS = 100;

/** How often a worker asks whether its tasks were given up. */
const WATCH_MS = 1000;

/** For how long items that are no tasks are kept. */
const DEAD_EXPIRE_MS = 86_400_000;

/** For how many pools a worker remembers where their results go. */
const MOST_POOLS = 100;

/** The tasks. An item that is none, which only another program can have put, is moved to another queue. */
class TaskQueue extends RedisJoinableQueue<TaskItem | undefined> {
  readonly #dead: RedisQueue<TaskItem | undefined>;

  constructor(options: PoolQueueOptions) {
    super(queueOptions(options, 'tasks'));
    this.#dead = new RedisQueue({
      ...queueOptions({ ...options, leaseTime: undefined }, 'dead'),
      expires: DEAD_EXPIRE_MS,
    });
  }

  protected override async decode(found: Found): Promise<TaskItem | undefined> {
    try {
      const item = await super.decode(found);
      if (isTask(item)) return item;
    } catch (error) {
      if (!(error instanceof UnpicklingError)) throw error;
    }
    process.emitWarning(`An item of the queue '${this.name}' is no task: it is moved to '${this.#dead.name}'`);
    await this.moveTo(this.#dead, found);
    return undefined;
  }

  protected override async leave(): Promise<void> {
    await Promise.all([super.leave(), this.#dead.close()]);
  }
}

/**
 * Takes tasks of the `RedisPool`s of its name, and runs them in a `Pool` of this process: the end of one of the Pool's processes
 * is told the caller as by any Pool. It takes as many tasks as it has processes, when those have loaded the function. Leases are
 * renewed while tasks run. No CPython counterpart.
 */
export class RedisPoolWorker<F extends Target = Target> {
  readonly #pool: Pool<F>;
  readonly #options: RedisPoolWorkerOptions<F>;
  readonly #connection: RedisConnection;
  readonly #cancelled: string;
  readonly #tasks: TaskQueue;
  readonly #results = new Map<string, RedisQueue<ResultItem>>();
  readonly #running = new Map<string, AbortController>();
  readonly #stop = new AbortController();
  #watching: NodeJS.Timeout | undefined;
  readonly #served: Promise<void>;
  #closing: Promise<void> | undefined;

  /** @param options See RedisPoolWorkerOptions. The processes are started at once. */
  constructor(options: RedisPoolWorkerOptions<F>) {
    markAsOwn(this);
    checkOptionNames(options, names);
    // Each of the processes waits with it.
    setMaxListeners(0, this.#stop.signal);
    this.#connection = connectionOf(options.client);
    this.#options = options;
    this.#tasks = new TaskQueue(options);
    this.#cancelled = cancelledKey(options);
    const own = Object.entries(options).filter(([name]) => !queueNames.has(name));
    this.#pool = new Pool(Object.fromEntries(own) as unknown as NodePoolOptions<F>);
    this.#served = this.#serve();
  }

  /**
   * Resolves when it can take tasks. Rejects with `ChildProcessError` if its processes cannot load the function, with a
   * RangeError if the pools have another `leaseTime` or `serialization`, or with `RedisError`.
   */
  async ready(): Promise<void> {
    await this.#tasks.qsize();
    await this.#pool.ready();
  }

  /** The state of its Pool. */
  stats(): PoolStats {
    return this.#pool.stats();
  }

  /** Takes no more tasks, and resolves when those that run are done and told. */
  close(): Promise<void> {
    this.#stop.abort();
    return (this.#closing ??= this.#close(() => this.#pool.close()));
  }

  /** Ends its processes at once. Other workers get its tasks; the attempt counts. */
  async terminate(): Promise<void> {
    this.#stop.abort();
    await this.#pool.terminate();
    await this.close();
  }

  /** `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return `RedisPoolWorker { name: ${inspect(this.#options.name)}, running: ${this.#running.size} }`;
  }

  async #close(closePool: () => Promise<void>): Promise<void> {
    await this.#served;
    clearInterval(this.#watching);
    await closePool();
    await Promise.all([this.#tasks, ...this.#results.values()].map((queue) => queue.close()));
  }

  /** Takes tasks until it is stopped, or cannot run any. */
  async #serve(): Promise<void> {
    try {
      await this.#pool.ready();
    } catch {
      // `ready` tells the user.
      return;
    }
    const { processes = availableParallelism() } = this.#options;
    await Promise.all(Array.from({ length: processes }, () => this.#take()));
  }

  async #take(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let lease: RedisLease<TaskItem | undefined>;
      try {
        lease = await this.#tasks.getLease({ signal });
      } catch (error) {
        // Redis is away.
        if (!signal.aborted && !(error instanceof ClosedError)) await pause();
        continue;
      }
      if (lease.item !== undefined) await this.#do(lease as RedisLease<TaskItem>);
    }
  }

  async #do(lease: RedisLease<TaskItem>): Promise<void> {
    const { id, pool, tells } = lease.item;
    const controller = new AbortController();
    this.#running.set(id, controller);
    this.#watch();
    void this.#check([id]);
    if (tells) void this.#reply(pool, { id, began: true });
    try {
      const result = await this.#result(lease, controller.signal);
      if (result !== undefined) await this.#reply(pool, result);
      await untilAnswered(() => lease.done());
    } catch (error) {
      if (error instanceof TaskDoneError) return;
      // The Pool was terminated, or cannot load its function any more.
      await lease.release().catch(ignore);
      if (error instanceof ChildProcessError) this.#stop.abort();
    } finally {
      this.#running.delete(id);
    }
  }

  /** What the pool is told; undefined for a task that was given up. */
  async #result({ item, deliveries }: RedisLease<TaskItem>, signal: AbortSignal): Promise<ResultItem | undefined> {
    const { id, mode, target, timeout, attempts } = item;
    if (deliveries > attempts) return { id, failure: lostAttempt(deliveries - 1) };
    const options = { target, timeout, retries: attempts - deliveries, signal };
    const args = item.args as Parameters<F>;
    try {
      if (mode === 'call') return { id, value: await this.#pool.apply(args, options) };
      return { id, value: await this.#pool[mode as 'map'](args, { ...options, chunksize: Math.max(1, args.length) }) };
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof PoolClosed || error instanceof ChildProcessError) throw error;
      return { id, failure: failureOf(error) };
    }
  }

  async #reply(pool: string, result: ResultItem): Promise<void> {
    let queue = this.#results.get(pool);
    if (queue === undefined) {
      const options = queueOptions({ ...this.#options, leaseTime: undefined }, `results:${pool}`);
      queue = new RedisQueue({ ...options, expires: RESULTS_EXPIRE_MS });
      this.#results.set(pool, queue);
      const [[oldest, unused] = []] = this.#results;
      if (this.#results.size > MOST_POOLS && oldest !== undefined) {
        this.#results.delete(oldest);
        unused?.close().catch(ignore);
      }
    }
    const to = queue;
    try {
      await untilAnswered(() => to.put(result));
    } catch (error) {
      if (error instanceof PicklingError) await this.#reply(pool, { id: result.id, failure: failureOf(error) });
      // Otherwise the pool is gone.
      else this.#results.delete(pool);
    }
  }

  #watch(): void {
    this.#watching ??= setInterval(() => {
      if (this.#running.size > 0) void this.#check([...this.#running.keys()]);
    }, WATCH_MS).unref();
  }

  /** Ends tasks that were given up. */
  async #check(ids: readonly string[]): Promise<void> {
    const key = this.#cancelled;
    try {
      const found = (await this.#connection.command('check', key, ['HMGET', key, ...ids])) as unknown[];
      const gone = ids.filter((_, i) => found[i] !== null);
      for (const id of gone) this.#running.get(id)?.abort();
      if (gone.length > 0) await this.#connection.command('check', key, ['HDEL', key, ...gone]);
    } catch {
      // Best effort.
    }
  }
}

makeFair(RedisPoolWorker.prototype, 'ready', 'close', 'terminate', Symbol.asyncDispose);

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

/** Calls until Redis has answered. */
async function untilAnswered(call: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await call();
      return;
    } catch (error) {
      if (!(error instanceof RedisError) || isKeysGone(error)) throw error;
      await pause();
    }
  }
}

function ignore(): void {
  // The lease runs out.
}
