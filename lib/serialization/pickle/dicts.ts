// SPDX-License-Identifier: MIT
//
// A dict becomes a plain object if all of its keys are strings, and a Map otherwise.
import { types } from 'node:util';

/** Whether a value is a plain object. A dict is one until it gets a key that is not a string. */
export function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Makes an own property of any name. Assignment is faster, but for a name that the prototype has it may call a setter
 * (`__proto__`), or fail.
 */
export function setOwn(object: object, key: string, value: unknown): void {
  if (key in Object.prototype) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (object as Record<string, unknown>)[key] = value;
  }
}

/** The entries of a dict, which became a plain object or a Map; undefined for any other value. */
export function entriesOf(value: unknown): [unknown, unknown][] | undefined {
  if (types.isMap(value)) return [...value];
  return isDict(value) ? Object.entries(value) : undefined;
}

/** The value of a dict for a key that is a string. */
export function valueOf(dict: unknown, key: string): unknown {
  if (types.isMap(dict)) return dict.get(key);
  return isDict(dict) && Object.hasOwn(dict, key) ? dict[key] : undefined;
}
