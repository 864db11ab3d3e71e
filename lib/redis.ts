// SPDX-License-Identifier: MIT
export type { RedisClient } from './adapters/redis/client.js';
export { RedisError } from './core/redis-errors.js';
export { RedisJoinableQueue, RedisLease } from './adapters/redis/joinable-queue.js';
export { RedisQueue, type RedisQueueStats } from './adapters/redis/queue.js';
export type { PoolQueueOptions } from './adapters/redis/pool/options.js';
export { RedisPool, type RedisPoolOptions } from './adapters/redis/pool/redis-pool.js';
export { RedisPoolWorker, type RedisPoolWorkerOptions } from './adapters/redis/pool/worker.js';
export type { RedisQueueOptions } from './adapters/redis/options.js';

import { loadedAll } from './rebuilders.js';

loadedAll(import.meta.filename);
