// SPDX-License-Identifier: MIT
//
// Dicts become plain objects if all of their keys are strings, and Maps otherwise.

/** Whether this is an object of properties, which a dict is until it gets a key that is no string. */
export function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Makes an own property, whatever its name. Assignment does this faster, but where the prototype knows the name it may call
 * a setter (`__proto__`) or be refused.
 */
export function setOwn(object: object, key: string, value: unknown): void {
  if (key in Object.prototype) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (object as Record<string, unknown>)[key] = value;
  }
}

/** What is in a dict, whichever of the two it became; undefined if it is none. */
export function entriesOf(value: unknown): [unknown, unknown][] | undefined {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return isDict(value) ? Object.entries(value) : undefined;
}

/** The value of a key that is a string. */
export function valueOf(dict: unknown, key: string): unknown {
  if (dict instanceof Map) return dict.get(key);
  return isDict(dict) && Object.hasOwn(dict, key) ? dict[key] : undefined;
}
