// SPDX-License-Identifier: MIT
import { types } from 'node:util';

import { PicklingError } from '../../../core/errors.js';
import { arrayType, isDisguised, partsOfView } from '../../inner-state.js';
import { isError, isPlain } from '../../../core/realms.js';
import { refuseShareable } from '../../../reduction/shareable.js';
import type { FormatContext } from '../../format-types.js';
import type { PickleHooks } from '../hooks.js';
import { encodeDate } from '../known/datetime.js';
import { bytesOf, LARGE_ARRAY } from '../known/elements.js';
import { encodeError } from '../known/exceptions.js';
import { knownEncoders } from '../known/index.js';
import { encodeNdArray, isNdArray } from '../known/numpy.js';
import { PythonObject, type PickleNode } from '../nodes.js';
import { registeredEncoder } from '../registry.js';

/** The replacement of an object that is neither plain data nor an object of Python; undefined if it has none. */
export function replace(
  object: object,
  hooks: PickleHooks,
  context: FormatContext | undefined,
): PickleNode | Uint8Array | string | number | bigint | boolean | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  const node = hooks.reduce?.(object, context) ?? registeredEncoder(prototype)?.(object);
  if (node !== undefined) return node;
  if (isNdArray(object)) return encodeNdArray(object);
  const encode = knownEncoders.get(prototype);
  if (encode !== undefined) return encode(object as never);
  if (isError(object)) return encodeError(object);
  if (types.isAnyArrayBuffer(object)) return new Uint8Array(object);
  if (types.isUint8Array(object) || types.isDataView(object)) return bytesOf(object);
  if (types.isTypedArray(object)) return encodeTypedArray(object);
  // The object is of another realm, such as that of a vm context, or of a derived class.
  if (types.isDate(object)) return encodeDate(new Date(Date.prototype.getTime.call(object)));
  if (types.isNumberObject(object)) return Number.prototype.valueOf.call(object);
  if (types.isStringObject(object)) return String.prototype.valueOf.call(object);
  if (types.isBooleanObject(object)) return Boolean.prototype.valueOf.call(object);
  if (types.isBigIntObject(object)) return BigInt.prototype.valueOf.call(object);
  return undefined;
}

/** Whether an object without a replacement is a dict. */
export function isDict(object: object): boolean {
  return isPlain(object) && !isDisguised(object) && !types.isRegExp(object) && !types.isArgumentsObject(object);
}

/** What stands for large bytes that do not go with the message; undefined if they do. */
export function carried(
  bytes: Uint8Array,
  hooks: PickleHooks,
  context: FormatContext | undefined,
): PythonObject | undefined {
  const node = bytes.length < LARGE_ARRAY ? undefined : hooks.reduce?.(bytes, context);
  return node instanceof PythonObject ? node : undefined;
}

/** As the encoder of its kind encodes an array of this realm. */
function encodeTypedArray(array: NodeJS.TypedArray): PickleNode | undefined {
  const Class = (globalThis as unknown as Record<string, Uint8ArrayConstructor>)[arrayType(array) as string];
  if (Class === undefined) return undefined;
  const [buffer, byteOffset, byteLength] = partsOfView(array);
  const own = new Class(buffer, byteOffset, byteLength / Class.BYTES_PER_ELEMENT);
  return knownEncoders.get(Object.getPrototypeOf(own))?.(own as never);
}

/** The error about an object without a counterpart in Python. */
export function unsupported(object: object, where: string): Error {
  refuseShareable(object);
  if (types.isPromise(object)) return new PicklingError(`${where} is a Promise: await it first`);
  const { constructor } = object as { constructor?: unknown };
  const name = typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an unnamed class';
  return new PicklingError(`${where} is an object of ${name}, which cannot be pickled; see pickle.register()`);
}
