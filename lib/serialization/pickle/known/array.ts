// SPDX-License-Identifier: MIT
//
// array.array becomes a typed array of the type of its elements.
import { reducerTable, type Budget, type Reducer } from '../hooks.js';
import { hostIsLittleEndian } from '../integers.js';
import { PythonGlobal, reduce, type PickleNode } from '../nodes.js';
import { array, bytes, refuse, text, wholeNumber } from './arguments.js';
import { bytesOf, ELEMENTS, elementsFrom, swap, type TypedArray, type TypedArrayConstructor } from './elements.js';

/** The type of elements by their code. A C `long` has eight bytes on the systems that this package supports. */
const BY_TYPECODE: Readonly<Record<string, string>> = {
  b: 'i1',
  B: 'u1',
  h: 'i2',
  H: 'u2',
  i: 'i4',
  I: 'u4',
  l: 'i8',
  L: 'u8',
  q: 'i8',
  Q: 'u8',
  f: 'f4',
  d: 'f8',
};

/**
 * Types of elements in the order of CPython's machine format codes: an even code is little-endian, the next one is big.
 */
const FORMATS = ['u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f4', 'f8'];
const FIRST_FORMAT = 2;
const UTF16 = 18;
const UTF32 = 20;

function utf32(data: Buffer, littleEndian: boolean, budget: Budget): string {
  if (data.length % 4 !== 0) refuse('its bytes are not a whole number of characters');
  budget.charge(2 * data.length);
  const parts: string[] = [];
  for (let at = 0; at < data.length; at += 4) {
    const point = littleEndian ? data.readUInt32LE(at) : data.readUInt32BE(at);
    parts.push(point <= 0x10ffff ? String.fromCodePoint(point) : refuse('it has an invalid character'));
  }
  return parts.join('');
}

function utf16(data: Buffer, littleEndian: boolean, budget: Budget): string {
  if (data.length % 2 !== 0) refuse('its bytes are not a whole number of characters');
  budget.charge(2 * data.length);
  const copy = Buffer.from(data);
  if (!littleEndian) swap(copy, 2);
  return copy.toString('utf16le');
}

function reconstruct([, , format, data]: unknown[], budget: Budget): TypedArray | string {
  const code = wholeNumber(format, 'its format', 0, UTF32 + 1);
  const content = bytes(data, 'its content');
  if (code < FIRST_FORMAT) return elementsFrom(code === 0 ? Uint8Array : Int8Array, 1, content, true, budget);
  const littleEndian = code % 2 === 0;
  if (code >= UTF32) return utf32(content, littleEndian, budget);
  if (code >= UTF16) return utf16(content, littleEndian, budget);
  const type = FORMATS[(code - FIRST_FORMAT) >> 1] as string;
  return elementsFrom(ELEMENTS[type] as TypedArrayConstructor, Number(type[1]), content, littleEndian, budget);
}

/** Makes an array from a list, as protocols before 3 do. */
function fromList([code, content]: unknown[], budget: Budget): TypedArray | string {
  const typecode = text(code, 'its type code');
  const list = array(content, 'its content');
  budget.charge(8 * list.length);
  if (typecode === 'u' || typecode === 'w') return list.map((item) => text(item, 'a character')).join('');
  const type = BY_TYPECODE[typecode] ?? refuse('its type code is unknown');
  const elements = new (ELEMENTS[type] as unknown as new (length: number) => TypedArray)(list.length);
  const big = elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  list.forEach((item, i) => {
    if (typeof item !== 'number' && typeof item !== 'bigint') refuse('an element is not a number');
    const element = big ? BigInt(item) : Number(item);
    elements[i] = element;
    if (!type.startsWith('f') && elements[i] !== element) refuse('an element is out of range');
  });
  return elements;
}

const constructor: Reducer = { pure: true, most: 2, call: fromList };

export const arrayReducers = reducerTable({
  array: { array: constructor, _array_reconstructor: { pure: true, most: 4, call: reconstruct } },
});

const ARRAY = new PythonGlobal('array', 'array');
const RECONSTRUCTOR = new PythonGlobal('array', '_array_reconstructor');

function encoder(typecode: string, type: string): (elements: TypedArray) => PickleNode {
  const first = type === 'u1' ? 0 : type === 'i1' ? 1 : FIRST_FORMAT + 2 * FORMATS.indexOf(type);
  const format = type.endsWith('1') || hostIsLittleEndian ? first : first + 1;
  return (elements) => reduce(RECONSTRUCTOR, [ARRAY, typecode, format, bytesOf(elements)]);
}

/** The type codes of what typed arrays become, and the types of their elements. */
const classes = [
  [Int8Array, 'b', 'i1'],
  [Uint8ClampedArray, 'B', 'u1'],
  [Int16Array, 'h', 'i2'],
  [Uint16Array, 'H', 'u2'],
  [Int32Array, 'i', 'i4'],
  [Uint32Array, 'I', 'u4'],
  [BigInt64Array, 'q', 'i8'],
  [BigUint64Array, 'Q', 'u8'],
  [Float32Array, 'f', 'f4'],
  [Float64Array, 'd', 'f8'],
] as const;

export const arrayEncoders: readonly [object, (object: never) => PickleNode][] = classes.map(
  ([{ prototype }, typecode, type]) => [prototype, encoder(typecode, type)],
);

/** These type codes by prototype. What becomes bytes has an empty one. */
export const typecodes: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  ...classes.map(([{ prototype }, typecode]) => [prototype, typecode] as const),
  [Uint8Array.prototype, ''],
  [Buffer.prototype, ''],
]);
