// SPDX-License-Identifier: MIT
import { argumentError } from '../../core/errors.js';
import { checkInteger, optionNames } from '../../core/validate.js';
import { checkQueueOptions } from '../../queues/options.js';
import { codecFor, kindOf } from '../../serialization/codec.js';
import type { Serialization } from '../../serialization/format-types.js';
import { connectionOf, type RedisClient, type RedisConnection } from './client.js';
import type { Settings } from './engine.js';

/** Options of a RedisQueue or a RedisJoinableQueue. What all members must agree on is chosen by the first one. */
export interface RedisQueueOptions<Q = unknown> {
  /** A client of the package `redis`, `ioredis` or `iovalkey`, which stays the caller's to close. */
  client: RedisClient;
  /** The name of the queue. Its keys begin with `<prefix>{<name>}:`. */
  name: string;
  /** What the names of all keys begin with. Default `mp:`. */
  prefix?: string | undefined;
  /**
   * The largest number of items that no consumer has got. Default: that of the queue if it exists, else 0: no limit, as for any
   * number that is not positive.
   */
  maxsize?: number | undefined;
  /**
   * How items are serialised: `'json'` for a queue that Python uses too. Default: the format of the queue if it exists, else
   * `'structured'`. `put` and `get` fail if the queue exists with another one.
   */
  serialization?: Serialization | undefined;
  /** Longest item, in bytes. Default 64 MiB; Redis itself allows 512 MiB. */
  maxMessageBytes?: number | undefined;
  /**
   * For how long an item is leased, in milliseconds. Leases are renewed as long as the process lives and reaches Redis, however
   * long a task takes; this time after that has ended, the item is handed out again. Default: that of the queue if it exists,
   * else 30000. At least 100.
   */
  leaseTime?: number | undefined;
  /**
   * After so many milliseconds without a call of any member, Redis deletes the queue: for queues that are the business of
   * one process, which may be killed. At least 5000. To be given by all members. Default: never.
   */
  expires?: number | undefined;
  /**
   * How often an item is handed out at most. After that the consumer which gets it moves it to `deadLetters`. To be given by all
   * consumers. Default: no limit.
   */
  maxDeliveries?: number | undefined;
  /** The queue for items that were handed out too often, with the same serialization. Needs `maxDeliveries`. */
  deadLetters?: Q | undefined;
  /**
   * `'get'`: an item is gone from Redis when it is got, and lost with its consumer (at most once). Default: when the consumer has
   * shown that it has received the item, or in a RedisJoinableQueue has finished it (at least once).
   */
  ack?: 'get' | undefined;
}

const names = optionNames<RedisQueueOptions>({
  client: true,
  name: true,
  prefix: true,
  maxsize: true,
  serialization: true,
  maxMessageBytes: true,
  leaseTime: true,
  expires: true,
  maxDeliveries: true,
  deadLetters: true,
  ack: true,
});

/** What a Redis that has its defaults can hold. */
const LONGEST_ITEM = 512 * 1024 * 1024;
const DEFAULT_LONGEST_ITEM = 64 * 1024 * 1024;
const LONGEST_LEASE_MS = 2 ** 31 - 1;

/** Validated options. */
export interface CheckedRedisOptions<Q> {
  readonly connection: RedisConnection;
  readonly name: string;
  readonly prefix: string;
  readonly settings: Settings;
  readonly serialization: unknown;
  readonly maxMessageBytes: number;
  readonly maxDeliveries: number;
  readonly deadLetters: Q | undefined;
  readonly ack: 'get' | undefined;
}

export function checkText(value: unknown, name: string, shortest: number): asserts value is string {
  if (typeof value !== 'string') throw argumentError('type', `${name} must be a string`);
  if (value.length < shortest) throw argumentError('range', `${name} must not be empty`);
  if (/[{}]/.test(value))
    throw argumentError('range', `${name} must not contain braces, which mark the hash tag of a key`);
}

/** Validates the options of a queue over Redis. */
export function checkRedisOptions<Q>(
  given: RedisQueueOptions<Q>,
  isQueue: (value: unknown) => boolean,
): CheckedRedisOptions<Q> {
  const { maxsize } = checkQueueOptions(given ?? null, names);
  const { client, name, prefix = 'mp:', serialization, leaseTime, maxDeliveries, deadLetters, ack } = given;
  const connection = connectionOf(client);
  checkText(name, 'name', 1);
  checkText(prefix, 'prefix', 0);
  if (serialization !== undefined) codecFor(serialization);
  const { maxMessageBytes = DEFAULT_LONGEST_ITEM } = given;
  checkInteger(maxMessageBytes, 'maxMessageBytes', 0, LONGEST_ITEM);
  if (leaseTime !== undefined) checkInteger(leaseTime, 'leaseTime', 100, LONGEST_LEASE_MS);
  const { expires } = given;
  if (expires !== undefined) checkInteger(expires, 'expires', 5000, LONGEST_LEASE_MS);
  if (maxDeliveries !== undefined) checkInteger(maxDeliveries, 'maxDeliveries', 1);
  if ((maxDeliveries === undefined) !== (deadLetters === undefined)) {
    throw argumentError('type', 'maxDeliveries and deadLetters need each other: give both or none');
  }
  if (deadLetters !== undefined && !isQueue(deadLetters)) {
    throw argumentError('type', 'deadLetters must be a RedisQueue or a RedisJoinableQueue');
  }
  if (ack !== undefined && ack !== 'get') throw argumentError('type', "ack must be 'get', or be left out");
  if (ack === 'get' && maxDeliveries !== undefined) {
    throw argumentError('type', "maxDeliveries needs items that come back: leave out ack: 'get'");
  }
  return {
    connection,
    name,
    prefix,
    settings: {
      maxsize: given.maxsize === undefined ? undefined : Math.max(0, maxsize),
      leaseTime,
      expires,
      serialization: serialization === undefined ? undefined : kindOf(serialization),
    },
    serialization,
    maxMessageBytes,
    maxDeliveries: maxDeliveries ?? Infinity,
    deadLetters,
    ack,
  };
}
