// SPDX-License-Identifier: MIT
import { types } from 'node:util';

import { argumentError } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { markArray } from '../serialization/array-mark.js';
import type { TypedArray } from '../serialization/pickle/known/elements.js';
import { defaultDtype, isNdArray, ndarray, type NdArray } from '../serialization/pickle/known/numpy.js';
import { isSharedBuffer, makeSharedBuffer, releaseBuffer } from './array-views.js';

/** The class of a typed array. */
export interface TypedArrayClass<T extends TypedArray> {
  /** The size of an element. */
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): T;
}

function bytesOfShape(shape: readonly number[], width: number): number {
  shape.forEach((length, i) => {
    checkInteger(length, `shape[${i}]`);
  });
  const bytes = shape.reduce((product, length) => product * length, width);
  if (bytes === 0) throw argumentError('range', 'shape must have no length of 0: no memory would be shared');
  checkInteger(bytes, 'the size in bytes');
  return bytes;
}

const dtypes = new Map<unknown, string>();

/** Looking it up takes longer than making the array. */
function dtypeOf<T extends TypedArray>(Class: TypedArrayClass<T>, elements: T): string {
  let dtype = dtypes.get(Class);
  if (dtype === undefined) dtypes.set(Class, (dtype = defaultDtype(elements)));
  return dtype;
}

function make<T extends TypedArray>(Class: TypedArrayClass<T>, shape: number | readonly number[]): NdArray<T> {
  const isClass = typeof Class === 'function' && Object.getPrototypeOf(Class) === Object.getPrototypeOf(Uint8Array);
  if (!isClass) {
    throw argumentError('type', 'Class must be that of a typed array: sharedArray(Float64Array, [2, 3])');
  }
  const lengths = Array.isArray(shape) ? (shape as readonly number[]) : [shape as number];
  const bytes = bytesOfShape(lengths, Class.BYTES_PER_ELEMENT);
  const made = new Class(makeSharedBuffer(bytes));
  return markArray(made, lengths, dtypeOf(Class, made));
}

function from<T extends TypedArray>(elements: T): NdArray<T> {
  if (!types.isTypedArray(elements)) throw argumentError('type', 'elements must be a typed array');
  const { shape, dtype } = isNdArray(elements) ? elements : { shape: [elements.length], dtype: defaultDtype(elements) };
  bytesOfShape([elements.length], elements.BYTES_PER_ELEMENT);
  const Class = (globalThis as unknown as Record<string, TypedArrayClass<T>>)[
    elements[Symbol.toStringTag]
  ] as TypedArrayClass<T>;
  const copy = new Class(makeSharedBuffer(elements.byteLength));
  (copy as Uint8Array).set(elements as Uint8Array);
  return ndarray(copy, shape, dtype);
}

function release(array: ArrayBufferView): void {
  if (!ArrayBuffer.isView(array) || (array.byteLength > 0 && !isSharedBuffer(array.buffer))) {
    throw argumentError('type', 'array must be one of sharedArray()');
  }
  if (array.byteLength > 0) releaseBuffer(array.buffer as ArrayBuffer);
}

/** `sharedArray`. */
export interface SharedArrayMaker {
  /**
   * A typed array over shared memory. Its contents are those of the last use of the memory, as with
   * `Buffer.allocUnsafe`.
   *
   * In a message or an argument for Python it becomes an ndarray of numpy over the same memory, and for Node the same
   * typed array: no element is copied, and all see what one of them writes. So does a `subarray` of it. The memory is
   * used again when it is not in use any more in any process or message.
   *
   * @param Class Such as `Float64Array`.
   * @param shape The length, or the length of each dimension.
   * @throws TypeError or RangeError naming the argument; a system error: ENOSPC, EMFILE; `NotSupported` where the
   *   runtime refuses memory that is not its own.
   */
  <T extends TypedArray>(Class: TypedArrayClass<T>, shape: number | readonly number[]): NdArray<T>;

  /** A copy of a typed array in shared memory. One that is an array of numpy keeps its shape and dtype. */
  from<T extends TypedArray>(elements: T): NdArray<T>;

  /**
   * Gives up the memory in this thread at once, instead of when the array is collected. All typed arrays over it are
   * empty from then on. Other processes keep it.
   */
  release(array: ArrayBufferView): void;
}

/** Makes typed arrays that other processes can use without a copy. See {@link SharedArrayMaker}. */
export const sharedArray: SharedArrayMaker = Object.assign(
  function sharedArray<T extends TypedArray>(Class: TypedArrayClass<T>, shape: number | readonly number[]): NdArray<T> {
    return make(Class, shape);
  },
  { from, release },
);
