// SPDX-License-Identifier: MIT
//
// Which values V8's format carries as what they are. V8 accepts more: an object of the platform whose state is in
// internal or private fields becomes an empty object, and a WebAssembly.Module becomes nothing, not even a value.
import { types } from 'node:util';
import { serialize } from 'node:v8';

/** What is known of a prototype of class instances: whether it belongs to a class of the platform. */
const verdicts = new WeakMap<object, boolean>();

/** Whether instances with this prototype are of a class of the platform, or of a class that is derived from one. */
function belongsToPlatform(prototype: object): boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const tag: unknown = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag)?.value;
    if (typeof tag === 'string' && tag.startsWith('WebAssembly.')) return true;
    const Class: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value;
    if (typeof Class !== 'function' || Class === Object) continue;
    // A global that the user has defined by an assignment is enumerable; those of the platform are not.
    const global = Object.getOwnPropertyDescriptor(globalThis, Class.name);
    if (global === undefined || global.enumerable === true) continue;
    const value: unknown = 'value' in global ? global.value : global.get?.call(globalThis);
    if (value === Class) return true;
  }
  return false;
}

/** Whether an object without a place in V8's format is of a class of the platform, such as URL, Headers or Blob. */
export function isOfPlatform(object: object): boolean {
  const prototype = Object.getPrototypeOf(object) as object | null;
  if (prototype === null || prototype === Object.prototype) return false;
  let verdict = verdicts.get(prototype);
  if (verdict === undefined) verdicts.set(prototype, (verdict = belongsToPlatform(prototype)));
  return verdict;
}

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
