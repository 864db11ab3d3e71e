// SPDX-License-Identifier: MIT
import { setImmediate as turn } from 'node:timers/promises';

import { AssertionError, expect } from 'chai';

/**
 * The properties of an expected error. Messages are for people and may change, so only permanent properties are
 * compared.
 */
export type Expected = Record<string, unknown>;

function check(error: unknown, expected: Expected): Error {
  if (!(error instanceof Error)) throw new AssertionError(`Not an Error was thrown: ${String(error)}`);
  for (const [key, value] of Object.entries(expected)) {
    const found = (error as unknown as Record<string, unknown>)[key];
    if (found !== value) {
      throw new AssertionError(
        `Expected an error with ${key} ${String(value)}, found ${String(found)} in ${error.stack}`,
      );
    }
  }
  return error;
}

/** Asserts that `promise` rejects with an error of these properties (`code`, `name`, ...) and returns the error. */
export async function rejects(promise: Promise<unknown>, expected: Expected): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return check(error, expected);
  }
  throw new AssertionError(`Expected a rejection with ${JSON.stringify(expected)}, resolved to ${String(value)}`);
}

/** Asserts that `fn` throws an error of these properties and returns the error. */
export function throws(fn: () => unknown, expected: Expected): Error {
  let value: unknown;
  try {
    value = fn();
  } catch (error) {
    return check(error, expected);
  }
  throw new AssertionError(`Expected a throw with ${JSON.stringify(expected)}, returned ${String(value)}`);
}

/** Asserts that the value is an instance of `Class`, and returns it. */
export function instance<T>(value: unknown, Class: new (...args: never[]) => T): T {
  if (!(value instanceof Class)) throw new AssertionError(`Expected a ${Class.name}, found ${String(value)}`);
  return value;
}

/** Asserts that a call refuses an argument with this code and a message that names the argument. */
export async function refuses(call: () => unknown, name: string, code: string): Promise<void> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    expect(check(error, { code }).message).to.include(name);
    return;
  }
  if (!(result instanceof Promise)) throw new AssertionError(`${name} was accepted, result ${String(result)}`);
  expect((await rejects(result, { code })).message).to.include(name);
}

/**
 * The promise's result, or a failure that names `what` after `ms` milliseconds. This is a watchdog against hanging
 * instead of a measurement: `ms` should be ten times what the slowest machine needs.
 */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const watchdog = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AssertionError(`Still pending after ${ms} ms: ${what}`));
    }, ms);
  });
  try {
    return await Promise.race([promise, watchdog]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs the event loop `count` times, so that everything that is ready has been served. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}
