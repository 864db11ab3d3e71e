// SPDX-License-Identifier: MIT
//
// What a value is, whichever realm it is of: that of a vm context, as test runners make one for each file, or that of a
// library with a class of its own for a standard interface. `instanceof` knows the classes of one realm only.
import { types } from 'node:util';

/** Whether a value is an error. Never throws, whatever the value does. */
export function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    // A proxy of the user.
    return false;
  }
}

/** Whether an object has properties only: one that braces make, or one without a prototype. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether a value is a URL. Node's own functions tell it by these properties. */
export function isURL(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false;
  const { href, protocol } = value as { href?: unknown; protocol?: unknown };
  // What url.parse() makes has a path, too.
  return typeof href === 'string' && typeof protocol === 'string' && !('path' in value);
}

/** Whether a value is an AbortSignal. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Record<string, unknown>;
  const listens = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  return typeof aborted === 'boolean' && listens;
}
