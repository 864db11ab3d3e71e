// SPDX-License-Identifier: MIT
import { randomBytes } from 'node:crypto';

import { argumentError } from '../../../core/errors.js';
import { checkInteger, checkOptionNames, optionNames } from '../../../core/validate.js';
import { BasePool } from '../../../pool/base-pool.js';
import { checkPoolOptions, type PoolOptions } from '../../../pool/options.js';
import type { Target } from '../../../process/process.js';
import { connectionOf } from '../client.js';
import { RedisJoinableQueue } from '../joinable-queue.js';
import { RedisQueue } from '../queue.js';
import { cancelledKey, RESULTS_EXPIRE_MS, type ResultItem, type TaskItem } from './messages.js';
import { QUEUE_OPTIONS, queueOptions, type PoolQueueOptions } from './options.js';
import { noStreams, RemoteScheduler } from './remote-scheduler.js';

type Calling = Pick<PoolOptions, 'processes' | 'maxQueue' | 'queueTimeout' | 'timeout' | 'retries'>;

/**
 * Options of a RedisPool: those of its queues, and those of a Pool. `processes` is the number of all workers, from which the
 * sizes of chunks and buffers follow; `maxQueue` limits the tasks of this object that are not done.
 */
export interface RedisPoolOptions extends PoolQueueOptions, Calling {}

const names = optionNames<RedisPoolOptions>({
  ...QUEUE_OPTIONS,
  processes: true,
  maxQueue: true,
  queueTimeout: true,
  timeout: true,
  retries: true,
});

/** For how long a task that was given up is remembered, in seconds. */
const REMEMBER_S = '86400';

const DEFAULT_LEASE_MS = 30_000;

/**
 * A pool whose workers are anywhere: each `RedisPoolWorker` of the same name, and each worker of
 * `npx node-multiprocessing worker` or `python -m node_multiprocessing_redis worker`, takes tasks of all pools of this name. It
 * has the methods of a Pool, without `stream`. CPython: `multiprocessing.Pool`, for calls.
 *
 * Tasks wait in Redis for a worker, also for one that is started later. A worker whose process or host ends has lost its task when
 * the lease has run out: then another worker repeats the task if `retries` allow it, else the task fails with `WorkerDied` (pid 0).
 * A worker that was only cut off may go on, so a task may run twice even then; the first result counts. An abort, or
 * `terminate()`, rejects at once; workers of Node drop the task within a second, those of Python if they have not begun it.
 */
export class RedisPool<F extends Target = Target> extends BasePool<F> {
  /** @param options See RedisPoolOptions. */
  constructor(options: RedisPoolOptions) {
    checkOptionNames(options, names);
    const { client, leaseTime = DEFAULT_LEASE_MS, processes, maxQueue, queueTimeout, timeout, retries } = options;
    checkInteger(leaseTime, 'leaseTime', 100);
    const checked = checkPoolOptions({ processes, maxQueue, queueTimeout, timeout, retries }, 'RedisPool');
    const connection = connectionOf(client);
    const pool = randomBytes(9).toString('base64url');
    const tasks = new RedisJoinableQueue<TaskItem>(queueOptions(options, 'tasks'));
    const results = new RedisQueue<ResultItem>({
      ...queueOptions({ ...options, leaseTime: undefined }, `results:${pool}`),
      expires: RESULTS_EXPIRE_MS,
    });
    const key = cancelledKey(options);
    const cancel = async (ids: readonly string[]): Promise<void> => {
      await connection.command('cancel', key, ['HSET', key, ...ids.flatMap((id) => [id, '1'])]);
      await connection.command('cancel', key, ['EXPIRE', key, REMEMBER_S]);
    };
    const remote = { pool, tasks, results, maxQueue: checked.maxQueue, leaseTime, cancel };
    super(checked, (listeners) => new RemoteScheduler(remote, listeners), {});
  }

  /** Not supported: throws `NotSupported`. */
  override stream(): never {
    throw noStreams();
  }

  /** @internal */
  protected override checkTarget(target: unknown): void {
    if (typeof target !== 'string') throw argumentError('type', 'target must be the name of an export of the module');
  }
}
