// SPDX-License-Identifier: MIT
//
// Checks of arguments. Each throws a TypeError or a RangeError that names the argument, before anything is read or
// written.
import { types } from 'node:util';

import { argumentError } from './errors.js';
import { isAbortSignal } from './realms.js';

// Each look into node:util takes longer than the check.
const { isAnyArrayBuffer, isUint8Array } = types;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'object') return `an instance of ${value.constructor?.name ?? 'Object'}`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'string' ? `a string` : String(value);
}

/** A whole number from `min` to `max`. */
export function checkInteger(
  value: unknown,
  name: string,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') {
    throw argumentError('type', `${name} must be a number, not ${kindOf(value)}`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw argumentError('range', `${name} must be a whole number from ${min} to ${max}, not ${value}`);
  }
}

/** A descriptor number. */
export function checkDescriptor(value: unknown, name: string): asserts value is number {
  checkInteger(value, name, 0, 0x7fffffff);
}

export function checkBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw argumentError('type', `${name} must be a boolean, not ${kindOf(value)}`);
}

export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw argumentError('type', `${name} must be a function, not ${kindOf(value)}`);
}

export function checkObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null) {
    throw argumentError('type', `${name} must be an object, not ${kindOf(value)}`);
  }
}

/** The names of the options of one place. */
export type OptionNames = ReadonlySet<string>;

/** Makes the list of an interface of options. A name that is missing or too many does not compile. */
export function optionNames<T>(names: Readonly<Record<keyof T, true>>): OptionNames {
  return new Set(Object.keys(names));
}

/** The tags of objects whose properties can be options. A signal, a Map or a Date in their place would be ignored. */
const OPTION_TAGS = ['[object Object]', '[object Module]'];

/** An object that has no other options than those of the list: a misspelt name must not be ignored. */
export function checkOptionNames(
  options: unknown,
  names: OptionNames,
  argument = 'options',
): asserts options is object {
  if (typeof options !== 'object' || !OPTION_TAGS.includes(Object.prototype.toString.call(options))) {
    throw argumentError('type', `${argument} must be an object, not ${kindOf(options)}: ${insteadOf(options, names)}`);
  }
  for (const name in options) {
    if (!names.has(name) && Object.hasOwn(options, name)) throw unknownOption(name, [...names]);
  }
}

/** What to write in the place of a value that is no object. Python's calls have these arguments without names. */
function insteadOf(value: unknown, names: OptionNames): string {
  if (isAbortSignal(value) && names.has('signal')) return 'write { signal }';
  const kinds: Readonly<Record<string, readonly string[]>> = { number: ['processes', 'timeout'], boolean: ['block'] };
  const name = kinds[typeof value]?.find((known) => names.has(known));
  return name !== undefined ? `write { ${name}: ${String(value)} }` : `the options are ${[...names].join(', ')}`;
}

function unknownOption(name: string, names: readonly string[]): Error {
  const plain = (text: string): string => text.replaceAll('_', '').toLowerCase();
  const distances = names.map((known) => editDistance(plain(name), plain(known)));
  const least = Math.min(...distances);
  const advice =
    least <= Math.min(2, name.length / 2)
      ? `did you mean ${names[distances.indexOf(least)]}?`
      : `the options are ${names.join(', ')}`;
  return argumentError('type', `${name} is not an option; ${advice}`);
}

/** How many letters are to be inserted, removed or replaced to make one text from the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let k = 0; k < b.length; k++) {
      const [above, left, diagonal] = [row[k + 1], next[k], row[k]] as [number, number, number];
      next.push(Math.min(above + 1, left + 1, diagonal + (a[i] === b[k] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** A timeout in milliseconds, as all public methods accept it. Infinity stands for no limit. */
export function checkTimeout(value: unknown, name = 'timeout'): number {
  if (value === undefined || value === null) return Infinity;
  if (typeof value !== 'number') {
    throw argumentError('type', `${name} must be a number of milliseconds, null or undefined, not ${kindOf(value)}`);
  }
  if (Number.isNaN(value)) throw argumentError('range', `${name} must not be NaN`);
  return Math.max(value, 0);
}

export function checkSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!isAbortSignal(value)) {
    throw argumentError('type', `signal must be an AbortSignal, not ${kindOf(value)}`);
  }
  return value;
}

/** Any memory that bytes can be read from or written to. */
export type Bytes = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** Whether the memory was transferred away. Its length is 0 then, like that of empty memory. */
export function isDetached(bytes: Uint8Array): boolean {
  // Not by its length: code that V8 has optimised reads the length of before, in Node 20 and 22.
  if (bytes[0] !== undefined) return false;
  try {
    // Node 20 has no property for it, but only detached memory refuses a new view.
    return new Uint8Array(bytes.buffer).length < 0;
  } catch {
    return true;
  }
}

/** Memory that is not detached, as a Uint8Array over it. */
export function checkBytes(value: unknown, name: string): Uint8Array {
  const bytes = viewOf(value, name);
  if (isDetached(bytes)) throw argumentError('type', `${name} must not be detached`);
  return bytes;
}

function viewOf(value: unknown, name: string): Uint8Array {
  // Not by instanceof: the memory may be of another realm, such as the vm context of a test runner.
  if (isUint8Array(value)) return value;
  const isMemory = isAnyArrayBuffer(value);
  if (!ArrayBuffer.isView(value) && !isMemory) {
    const advice = typeof value === 'string' ? `: write Buffer.from(${name})` : '';
    throw argumentError(
      'type',
      `${name} must be an ArrayBufferView, an ArrayBuffer or a SharedArrayBuffer, not ${kindOf(value)}${advice}`,
    );
  }
  try {
    return isMemory ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  } catch (error) {
    // A DataView of detached memory throws when its length is read.
    throw argumentError('type', `${name} must not be detached: ${(error as Error).message}`, { cause: error });
  }
}

/** An offset and a size in bytes within `length`. A missing size reaches to the end. Returns the size. */
export function checkRange(offset: unknown, size: unknown, length: number): number {
  checkInteger(offset, 'offset', 0, length);
  if (size === undefined) return length - offset;
  checkInteger(size, 'size', 0, length - offset);
  return size;
}

/** The name of a POSIX semaphore. */
export function checkSemaphoreName(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw argumentError('type', `${name} must be a string, not ${kindOf(value)}`);
  if (!/^\/[^/\0]+$/.test(value) || Buffer.byteLength(value) > 251) {
    throw argumentError('range', `${name} must be a slash and up to 250 bytes without another slash`);
  }
}
