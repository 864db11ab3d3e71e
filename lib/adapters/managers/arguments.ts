// SPDX-License-Identifier: MIT
//
// The arguments of a call from Python, by position or by name.
import { entriesOf } from '../../serialization/pickle/dicts.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { PythonFloat } from '../../serialization/pickle/wrappers.js';

export function typeError(message: string): PythonError {
  return new PythonError('TypeError', [message]);
}

/** The arguments of one call. */
export class Arguments {
  readonly #method: string;
  readonly positional: readonly unknown[];
  readonly keywords: readonly (readonly [unknown, unknown])[];

  constructor(method: string, args: unknown, kwds: unknown) {
    const keywords = entriesOf(kwds);
    if (!Array.isArray(args) || keywords === undefined) throw typeError(`the arguments of ${method} are not arguments`);
    this.#method = method;
    this.positional = args;
    this.keywords = keywords;
  }

  /** The values of these parameters. Those whose name ends in `?` are undefined if they were not given. */
  take(...parameters: readonly string[]): unknown[] {
    if (this.positional.length > parameters.length) {
      throw typeError(
        `${this.#method}() takes ${parameters.length} arguments but ${this.positional.length} were given`,
      );
    }
    const names = parameters.map((name) => name.replace('?', ''));
    const values: unknown[] = names.map((_, i) => this.positional[i]);
    for (const [name, value] of this.keywords) {
      const at = names.indexOf(name as string);
      if (at < this.positional.length) {
        throw typeError(`${this.#method}() got an unexpected or a second keyword argument '${String(name)}'`);
      }
      values[at] = value;
    }
    const missing = parameters.find((name, i) => !name.endsWith('?') && values[i] === undefined);
    if (missing !== undefined) throw typeError(`${this.#method}() lacks the argument '${missing}'`);
    return values;
  }
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') return Number(value);
  return value instanceof PythonFloat ? value.value : undefined;
}

/** Whether an argument such as `block` is true; by default it is. */
export function isTrue(value: unknown): boolean {
  return value === undefined || Boolean(numberOf(value) ?? value);
}

/** A time of Python, which counts in seconds, in milliseconds. None sets no limit. */
export function milliseconds(value: unknown): number {
  if (value === undefined || value === null) return Infinity;
  const seconds = numberOf(value);
  if (seconds === undefined) throw typeError('timeout must be a number or None');
  if (Number.isNaN(seconds)) throw new PythonError('ValueError', ["'timeout' must be a non-negative number"]);
  return seconds * 1000;
}

/** A whole number, such as a size. */
export function wholeNumber(value: unknown, name: string, otherwise: number): number {
  const number = value === undefined ? otherwise : typeof value === 'number' ? value : numberOf(value);
  if (number === undefined || !Number.isSafeInteger(number)) throw typeError(`${name} must be an int`);
  return number;
}
