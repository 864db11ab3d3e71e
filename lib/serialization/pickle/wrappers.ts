// SPDX-License-Identifier: MIT
//
// Types that a sender chooses: JavaScript has one type of number and no tuple, and Python has more.
import { argumentError } from '../../core/errors.js';
import { PythonTuple } from './nodes.js';

/** A float for Python, made by `float()`. */
export class PythonFloat {
  /** The number. */
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** An int for Python, made by `int()`. */
export class PythonInt {
  /** The number. */
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A tuple for Python, where an Array would become a list: `tuple(1, 'two')` is `(1, 'two')`. */
export function tuple(...items: readonly unknown[]): PythonTuple {
  return new PythonTuple(items);
}

/** A float for Python, where a whole number would become an int: `float(1)` is `1.0`. */
export function float(value: number): PythonFloat {
  if (typeof value !== 'number') throw argumentError('type', 'value must be a number');
  return new PythonFloat(value);
}

/** An int for Python, where a number beyond 2 ** 53 would become a float: `int(2 ** 60)` is `1152921504606846976`. */
export function int(value: number | bigint): PythonInt {
  if (typeof value === 'bigint') return new PythonInt(value);
  if (typeof value !== 'number') throw argumentError('type', 'value must be a number or a bigint');
  if (!Number.isInteger(value)) throw argumentError('range', `value must be a whole number, not ${value}`);
  return new PythonInt(BigInt(value));
}
