// SPDX-License-Identifier: MIT
//
// The errors of queues over Redis.
import { MultiprocessingError, PicklingError } from './errors.js';

/**
 * Redis has not done what a queue needed: its answer was an error (no memory, not the master), the connection was lost, or
 * the queue's keys are gone. `cause` is the error of the client. The call can be repeated. No CPython counterpart.
 */
export class RedisError extends MultiprocessingError {
  readonly code = 'ERR_MP_REDIS';
  /**
   * Whether it is unknown if Redis has done it, because no answer has come: a `put` that is repeated then may put the
   * item twice.
   */
  readonly uncertain: boolean;
  constructor(message: string, uncertain = false, options?: ErrorOptions) {
    super(message, options);
    this.uncertain = uncertain;
  }
}

/** An error that Redis itself has answered begins with a code in capitals, in every client. */
const ANSWER = /^-?[A-Z]{2,}[A-Z0-9_]* /;

/** The error for a command whose promise the client has rejected. */
export function commandError(operation: string, cause: unknown): RedisError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new RedisError(`${operation}: ${text}`, !ANSWER.test(text), { cause });
}

/** The error for a queue whose keys were deleted or evicted, or were lost with a Redis that keeps nothing. */
export function keysGone(name: string): RedisError {
  return new RedisError(
    `The keys of the queue '${name}' are gone from Redis: it was destroyed, or Redis has lost them`,
  );
}

/** Whether an error says that: the client has met no failure. */
export function isKeysGone(error: unknown): boolean {
  return error instanceof RedisError && error.cause === undefined;
}

/** The error for an item that Redis cannot hold. */
export function itemTooLong(length: number, most: number): PicklingError {
  return new PicklingError(`The item has ${length} bytes, more than maxMessageBytes of this queue, ${most}`);
}
