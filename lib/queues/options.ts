// SPDX-License-Identifier: MIT
import { argumentError } from '../core/errors.js';
import { DEFAULT_EXIT_FLUSH_MS } from '../event-loop/exit.js';
import { DEFAULT_MAX_MESSAGE_BYTES } from '../connection/options.js';
import { SEM_VALUE_MAX } from '../synchronize/sem-lock.js';
import type { Serialization } from '../serialization/format-types.js';
import { checkInteger, checkOptionNames, checkTimeout, optionNames, type OptionNames } from '../core/validate.js';

/** Options of a SimpleQueue. */
export interface SimpleQueueOptions {
  /** How items are serialised. Default `'structured'`. All processes that use the queue must use the same. */
  serialization?: Serialization | undefined;
  /** Longest item, in bytes; `put` refuses a longer one. Default 1 GiB. */
  maxMessageBytes?: number | undefined;
  /** How long the process may delay its end until its items are written, in milliseconds. Default 5000. */
  exitFlushMs?: number | undefined;
}

const SIMPLE_QUEUE_OPTIONS = { serialization: true, maxMessageBytes: true, exitFlushMs: true } as const;

/** @internal */
export const simpleQueueNames = optionNames<SimpleQueueOptions>(SIMPLE_QUEUE_OPTIONS);

/** Options of a Queue or a JoinableQueue. */
export interface QueueOptions extends SimpleQueueOptions {
  /** The largest number of items on the queue. Default 0: no limit, as for any number that is not positive. */
  maxsize?: number | undefined;
  /**
   * How many bytes may wait in this process to be written. If more wait, `put` makes its caller wait until they are
   * fewer; the item is accepted all the same, so that nothing is lost. Default 64 MiB.
   */
  highWaterMark?: number | undefined;
}

const QUEUE_OPTIONS = { ...SIMPLE_QUEUE_OPTIONS, maxsize: true, highWaterMark: true } as const;

/** @internal */
export const queueNames = optionNames<QueueOptions>(QUEUE_OPTIONS);

/** The options that only a JoinableQueue has: see JoinableQueueOptions. */
const LEASE_OPTIONS = { leases: true, leaseBytes: true, maxDeliveries: true, deadLetters: true } as const;

/** @internal */
export const joinableQueueNames = optionNames<QueueOptions & typeof LEASE_OPTIONS>({
  ...QUEUE_OPTIONS,
  ...LEASE_OPTIONS,
});

export const DEFAULT_HIGH_WATER_MARK = 64 * 1024 * 1024;

/** Validated options. */
export interface CheckedOptions {
  readonly maxsize: number;
  readonly highWaterMark: number;
  readonly serialization: unknown;
  readonly channel: { readonly maxMessageBytes: number; readonly exitFlushMs: number };
}

/** Validates the argument of the constructor of a queue: a `maxsize`, or options of these names. */
export function checkQueueOptions(given: unknown, names: OptionNames): CheckedOptions {
  if (given !== undefined && typeof given !== 'number') checkOptionNames(given, names);
  const options = (typeof given === 'number' ? { maxsize: given } : (given ?? {})) as QueueOptions;
  const maxsize = options.maxsize ?? 0;
  checkInteger(maxsize, 'maxsize', -SEM_VALUE_MAX, SEM_VALUE_MAX);
  const highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
  if (typeof highWaterMark !== 'number') throw argumentError('type', 'highWaterMark must be a number of bytes');
  if (!(highWaterMark >= 0)) throw argumentError('range', `highWaterMark must be at least 0, not ${highWaterMark}`);
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  checkInteger(maxMessageBytes, 'maxMessageBytes');
  const exitFlushMs = checkTimeout(options.exitFlushMs ?? DEFAULT_EXIT_FLUSH_MS, 'exitFlushMs');
  return { maxsize, highWaterMark, serialization: options.serialization, channel: { maxMessageBytes, exitFlushMs } };
}
