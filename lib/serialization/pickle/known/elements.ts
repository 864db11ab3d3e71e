// SPDX-License-Identifier: MIT
//
// Typed arrays, and the bytes of the arrays of Python.
import { partsOfView } from '../../inner-state.js';
import type { Budget } from '../hooks.js';
import { hostIsLittleEndian } from '../integers.js';
import { refuse } from './arguments.js';

/** Any typed array that has a counterpart in Python. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

export type TypedArrayConstructor = new (buffer: ArrayBuffer) => TypedArray;

/** The types of whole numbers and floats, by the letter of their kind in numpy and the bytes of an element. */
export const ELEMENTS: Readonly<Record<string, TypedArrayConstructor>> = {
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
};

/** From so many bytes on, an array is worth to be carried beside its message. */
export const LARGE_ARRAY = 2 ** 20;

/** The bytes of a typed array or a DataView. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(...partsOfView(view));
}

/** A typed array with a copy of these bytes, in this machine's byte order. */
export function elementsFrom(
  type: TypedArrayConstructor,
  size: number,
  bytes: Buffer,
  littleEndian: boolean,
  budget: Budget,
): TypedArray {
  if (bytes.length % size !== 0) refuse('its bytes are not a whole number of elements');
  budget.charge(bytes.length);
  const memory = new ArrayBuffer(bytes.length);
  const copy = Buffer.from(memory);
  bytes.copy(copy);
  if (littleEndian !== hostIsLittleEndian) swap(copy, size);
  return new type(memory);
}

/** Reverses the bytes of every element. */
export function swap(bytes: Buffer, size: number): void {
  if (size === 2) bytes.swap16();
  else if (size === 4) bytes.swap32();
  else if (size === 8) bytes.swap64();
}
