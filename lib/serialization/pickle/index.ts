// SPDX-License-Identifier: MIT
//
// The public namespace `pickle`.
import { argumentError } from '../../core/errors.js';
import { checkBytes, checkOptionNames, type Bytes } from '../../core/validate.js';
import { registeredFormat } from '../codec.js';
import { decodePickle, encodePickle } from './codec.js';
import { pickleNames, type PickleOptions, type PickleSerializer } from './serializer.js';

export type { ArrayMark } from '../array-mark.js';
export type { TypedArray } from './known/elements.js';
export { ndarray, type NdArray } from './known/numpy.js';
export { PythonGlobal, PythonObject, PythonTuple } from './nodes.js';
export { PythonError } from './python-error.js';
export { register, type Class, type ClassRegistration, type EncodedObject } from './registry.js';
export { PickleSerializer, type PickleOptions } from './serializer.js';
export { Complex, Decimal, PythonDate, PythonTime, TimeDelta, TimeZone, UUID, ZoneInfo } from './values.js';
export { PythonFloat, PythonInt } from './wrappers.js';

function checkOptions(options: PickleOptions): PickleOptions {
  checkOptionNames(options, pickleNames);
  const { unknown } = options;
  if (unknown !== undefined && unknown !== 'error' && unknown !== 'opaque') {
    throw argumentError('type', "unknown must be 'error' or 'opaque'");
  }
  return { unknown };
}

/**
 * The pickle of a value, in protocol 4. CPython: `pickle.dumps`.
 *
 * @returns A Buffer that may be kept. As with Node's own, small ones share their memory.
 * @throws `PicklingError`, which names the place of the reason in the value; `NotSupported` for objects such as
 *   Connections.
 */
export function dumps(value: unknown): Buffer {
  return encodePickle(value);
}

/**
 * The value of a pickle in any protocol from 0 to 5. Nothing in it is imported or called: a class or function that is
 * neither known nor registered is an error. Bytes behind the pickle are ignored. CPython: `pickle.loads`.
 *
 * @throws `UnpicklingError`
 */
export function loads(bytes: Bytes, options: PickleOptions = {}): unknown {
  const data = checkBytes(bytes, 'bytes');
  const hooks = checkOptions(options);
  return decodePickle(Buffer.from(data.buffer, data.byteOffset, data.byteLength), false, hooks);
}

/** Pickles with options, as the `serialization` of a channel. */
export function serializer(options: PickleOptions = {}): PickleSerializer {
  return registeredFormat('pickle').serializer(checkOptions(options));
}
