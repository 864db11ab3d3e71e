// SPDX-License-Identifier: MIT
//
// Which values V8's format carries as what they are. V8 accepts more: see platform-classes.ts.
import { types } from 'node:util';
import { serialize } from 'node:v8';

import { isOfPlatform } from './platform-classes.js';

/** Whether an object has a form of its own in V8's format, in which there are no other objects. */
export function isLeaf(object: object): boolean {
  return (
    ArrayBuffer.isView(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isDate(object) ||
    types.isRegExp(object) ||
    types.isBoxedPrimitive(object)
  );
}

/** The cause that V8 writes with an error; undefined if there is none. */
export function causeOf(error: object): { readonly value: unknown } | undefined {
  const cause = Object.getOwnPropertyDescriptor(error, 'cause');
  return cause !== undefined && 'value' in cause ? { value: cause.value } : undefined;
}

let causeFirst: boolean | undefined;

/**
 * Whether this version of V8 writes the cause of an error before the stack. Versions that write it behind the stack
 * cannot read that; versions that write it before the stack can read both.
 */
export function writesCauseFirst(): boolean {
  if (causeFirst === undefined) {
    const error = Object.assign(new Error('', { cause: 0 }), { stack: '' });
    const bytes = serialize(error).toString('latin1');
    causeFirst = bytes.indexOf('c') < bytes.indexOf('s');
  }
  return causeFirst;
}

/** One look at a value. It keeps no list of the objects it has met, so their number is bounded. */
class Look {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  isOrdinary(object: object): boolean {
    if (--this.#left < 0) return false;
    if (Array.isArray(object)) return this.#areOrdinary(object);
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) {
      if (isLeaf(object)) return true;
      if (types.isMap(object)) return this.#areOrdinary(object.keys()) && this.#areOrdinary(object.values());
      if (types.isSet(object)) return this.#areOrdinary(object);
      if (types.isNativeError(object)) return this.#isOrdinaryError(object);
      if (isOfPlatform(object)) return false;
    }
    for (const key in object) {
      const field = (object as Record<string, unknown>)[key];
      if (typeof field === 'object' && field !== null && !this.isOrdinary(field)) return false;
    }
    return true;
  }

  #areOrdinary(values: Iterable<unknown>): boolean {
    for (const value of values) {
      if (typeof value === 'object' && value !== null && !this.isOrdinary(value)) return false;
    }
    return true;
  }

  #isOrdinaryError(error: object): boolean {
    // Its message is a getter, which V8 does not call. Older versions do not take it for an error.
    if (error instanceof DOMException) return false;
    const cause = causeOf(error);
    if (cause === undefined) return true;
    if (writesCauseFirst()) return false;
    return typeof cause.value !== 'object' || cause.value === null || this.isOrdinary(cause.value);
  }
}

/**
 * Whether the bytes that V8 has made of a value are what all versions of Node read as this value. False also if that
 * cannot be told at a glance, as with a value that contains itself.
 *
 * @param length The number of the bytes. Unless objects occur several times, there are fewer objects than bytes.
 */
export function isOrdinary(value: unknown, length: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  try {
    return new Look(length).isOrdinary(value);
  } catch {
    // A getter that throws the second time, or a value nested more deeply than JavaScript's stack: the walk tells.
    return false;
  }
}
