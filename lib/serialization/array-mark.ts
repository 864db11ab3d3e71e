// SPDX-License-Identifier: MIT
//
// An array of numpy is a typed array with two more properties.

/** The properties: the length of each dimension, and the name of the type of its elements. */
export interface ArrayMark {
  /** The length of each dimension; the last one varies fastest. CPython: `ndarray.shape`. */
  readonly shape: readonly number[];
  /** The type of its elements, such as `'<f8'`. CPython: `ndarray.dtype.str`. */
  readonly dtype: string;
}

/** Gives a typed array these properties. */
export function markArray<T extends object>(elements: T, shape: readonly number[], dtype: string): T & ArrayMark {
  // Not enumerable, so that the array equals a typed array of the same elements.
  return Object.defineProperties(elements, {
    shape: { value: Object.freeze([...shape]), configurable: true },
    dtype: { value: dtype, configurable: true },
  }) as T & ArrayMark;
}

/** Whether a typed array has them, and so is sent as an array of numpy. */
export function isMarked(value: object): value is ArrayBufferView & ArrayMark {
  return ArrayBuffer.isView(value) && Object.hasOwn(value, 'shape') && Object.hasOwn(value, 'dtype');
}
