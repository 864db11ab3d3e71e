// SPDX-License-Identifier: MIT
//
// The element types of ctypes, by CPython's typecodes (multiprocessing.sharedctypes.typecode_to_type).
import { argumentError } from '../core/errors.js';
import { types } from 'node:util';

/** The element types of RawValue, RawArray, Value and Array. */
export type Typecode = 'c' | 'u' | 'b' | 'B' | 'h' | 'H' | 'i' | 'I' | 'l' | 'L' | 'q' | 'Q' | 'f' | 'd';

/** What an element is in JavaScript. Integers of 64 bits are bigints where a number would not be exact. */
export type ElementOf<T extends Typecode> = T extends 'c'
  ? Buffer
  : T extends 'u'
    ? string
    : T extends 'l' | 'L' | 'q' | 'Q'
      ? number | bigint
      : number;

/** What `view()` of an array returns. */
export type ViewOf<T extends Typecode> = T extends 'c'
  ? Buffer
  : T extends 'u' | 'I'
    ? Uint32Array
    : T extends 'b'
      ? Int8Array
      : T extends 'B'
        ? Uint8Array
        : T extends 'h'
          ? Int16Array
          : T extends 'H'
            ? Uint16Array
            : T extends 'i'
              ? Int32Array
              : T extends 'l' | 'q'
                ? BigInt64Array
                : T extends 'L' | 'Q'
                  ? BigUint64Array
                  : T extends 'f'
                    ? Float32Array
                    : Float64Array;

/** The elements of a view. */
export interface Elements {
  readonly length: number;
  [index: number]: number | bigint;
}

/** One type of elements. */
export interface ElementType {
  /** The class of ctypes, on systems where a long has 64 bits. */
  readonly ctype: string;
  readonly bytes: number;
  view(bytes: Buffer): Elements;
  get(elements: Elements, index: number): unknown;
  /** Throws a TypeError or RangeError that begins with `name` for a value that is no such element. */
  set(elements: Elements, index: number, value: unknown, name: string): void;
}

interface ViewClass {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, start: number, length: number): Elements;
}

function over(View: ViewClass): ElementType['view'] {
  const size = View.BYTES_PER_ELEMENT;
  return ({ buffer, byteOffset, byteLength }) => new View(buffer, byteOffset, byteLength / size);
}

function checkNumber(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number') throw argumentError('type', `${name} must be a number`);
}

function float(ctype: string, View: ViewClass): ElementType {
  return {
    ctype,
    bytes: View.BYTES_PER_ELEMENT,
    view: over(View),
    get: (elements, index) => elements[index],
    set(elements, index, value, name) {
      checkNumber(value, name);
      elements[index] = value;
    },
  };
}

/** Too large a number loses its high bits, as in ctypes. */
function integer(ctype: string, View: ViewClass): ElementType {
  const isBig = View.BYTES_PER_ELEMENT === 8;
  return {
    ctype,
    bytes: View.BYTES_PER_ELEMENT,
    view: over(View),
    get(elements, index) {
      const value = elements[index] as number | bigint;
      return isBig && Number.isSafeInteger(Number(value)) ? Number(value) : value;
    },
    set(elements, index, value, name) {
      if (typeof value !== 'bigint') {
        checkNumber(value, name);
        if (!Number.isInteger(value)) throw argumentError('range', `${name} must be a whole number, not ${value}`);
      }
      elements[index] = isBig ? BigInt(value) : Number(BigInt.asIntN(32, BigInt(value)));
    },
  };
}

const char: ElementType = {
  ctype: 'c_char',
  bytes: 1,
  view: (bytes) => bytes,
  get: (elements, index) => Buffer.from([elements[index] as number]),
  set(elements, index, value, name) {
    if (!types.isUint8Array(value) || value.length !== 1)
      throw argumentError('type', `${name} must be a Buffer of one byte`);
    elements[index] = value[0] as number;
  },
};

const wideChar: ElementType = {
  ctype: 'c_wchar',
  bytes: 4,
  view: over(Uint32Array),
  get: (elements, index) => String.fromCodePoint(Math.min(Number(elements[index]), 0x10ffff)),
  set(elements, index, value, name) {
    const [character, ...rest] = typeof value === 'string' ? value : '';
    if (character === undefined || rest.length > 0)
      throw argumentError('type', `${name} must be a string of one character`);
    elements[index] = character.codePointAt(0) as number;
  },
};

const typecodes: Readonly<Record<Typecode, ElementType>> = {
  c: char,
  u: wideChar,
  b: integer('c_byte', Int8Array),
  B: integer('c_ubyte', Uint8Array),
  h: integer('c_short', Int16Array),
  H: integer('c_ushort', Uint16Array),
  i: integer('c_int', Int32Array),
  I: integer('c_uint', Uint32Array),
  l: integer('c_long', BigInt64Array),
  L: integer('c_ulong', BigUint64Array),
  q: integer('c_long', BigInt64Array),
  Q: integer('c_ulong', BigUint64Array),
  f: float('c_float', Float32Array),
  d: float('c_double', Float64Array),
};

/** The classes of ctypes that have a typecode. */
export const CTYPES = [...new Set(Object.values(typecodes).map(({ ctype }) => ctype))];

/** Checks a typecode, and returns its type. */
export function typeOf(typecode: unknown): ElementType {
  if (typeof typecode === 'string' && Object.hasOwn(typecodes, typecode)) return typecodes[typecode as Typecode];
  throw argumentError('range', `typecode must be one of ${Object.keys(typecodes).join(', ')}`);
}

/** The typecode of a class of ctypes; undefined for one that has none. */
export function typecodeOf(ctype: string): Typecode | undefined {
  return (Object.keys(typecodes) as Typecode[]).find((code) => typecodes[code].ctype === ctype);
}
