// SPDX-License-Identifier: MIT
import { checkText, type RedisQueueOptions } from '../options.js';

/** The options of the queues of a RedisPool, which its workers must have, too. `name` is that of the pool. */
export type PoolQueueOptions = Pick<
  RedisQueueOptions,
  'client' | 'name' | 'prefix' | 'serialization' | 'leaseTime' | 'maxMessageBytes'
>;

/** @internal Their names. */
export const QUEUE_OPTIONS = {
  client: true,
  name: true,
  prefix: true,
  serialization: true,
  leaseTime: true,
  maxMessageBytes: true,
} as const;

/** @internal */
export const queueNames: ReadonlySet<string> = new Set(Object.keys(QUEUE_OPTIONS));

/** The options of one of the queues of a pool. */
export function queueOptions(options: PoolQueueOptions, queue: string): RedisQueueOptions<never> {
  const { client, name, prefix, serialization, leaseTime, maxMessageBytes } = options;
  checkText(name, 'name', 1);
  return { client, name: `${name}:${queue}`, prefix, serialization, leaseTime, maxMessageBytes };
}
