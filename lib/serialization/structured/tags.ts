// SPDX-License-Identifier: MIT
//
// V8's own format for values, version 15. A value is a tag and what the tag announces. Lengths and counts have seven
// bits in each byte, the lowest first, with the eighth set in all but the last. Numbers are in the order of bytes of the
// processor. Every object has a number, counted from 0 in the order in which the objects begin.

/** The first two bytes of a message: the mark of a header, and the version of the format. */
export const HEADER = 0xff;
export const VERSION = 15;

/** In front of a string of two bytes per character that would begin at an odd place. */
export const PADDING = 0;

export const UNDEFINED = 0x5f;
export const NULL = 0x30;
export const TRUE = 0x54;
export const FALSE = 0x46;
/** A number of 32 bits, with the sign in the lowest bit. */
export const INTEGER = 0x49;
export const DOUBLE = 0x4e;
/** The number of bytes, times two, with the sign in the lowest bit; then the bytes, the lowest first. */
export const BIGINT = 0x5a;
/** The number of bytes, and Latin-1. */
export const LATIN1 = 0x22;
/** The number of bytes, and UTF-16. */
export const UTF16 = 0x63;

/** The number of an object that began before. */
export const REFERENCE = 0x5e;
/** Keys and values, `END_OBJECT` and the count of the keys. */
export const OBJECT = 0x6f;
export const END_OBJECT = 0x7b;
/** The length, the items, keys and values of other properties, `END_DENSE`, the count of the keys, and the length. */
export const DENSE = 0x41;
export const END_DENSE = 0x24;
export const HOLE = 0x2d;
/** The length, keys and values, `END_SPARSE`, the count of the keys, and the length. */
export const SPARSE = 0x61;
export const END_SPARSE = 0x40;
/** Keys and values, `END_MAP`, and how many values that are. */
export const MAP = 0x3b;
export const END_MAP = 0x3a;
/** Values, `END_SET`, and their count. */
export const SET = 0x27;
export const END_SET = 0x2c;

/** A double: milliseconds since 1970. */
export const DATE = 0x44;
/** The source as a string, and the flags. */
export const REGEXP = 0x52;
export const BOXED_TRUE = 0x79;
export const BOXED_FALSE = 0x78;
export const BOXED_NUMBER = 0x6e;
export const BOXED_BIGINT = 0x7a;
export const BOXED_STRING = 0x73;
/** The length and the bytes. */
export const ARRAY_BUFFER = 0x42;
/** The length, the longest length, and the bytes. */
export const RESIZABLE_BUFFER = 0x7e;
/** What Node adds to the format: the type of an array, the number of its bytes, and the bytes. */
export const HOST_OBJECT = 0x5c;

/** The parts of an error, in the order in which all versions of V8 read them, and its end. */
export const ERROR = 0x72;
export const ERROR_MESSAGE = 0x6d;
export const ERROR_STACK = 0x73;
export const ERROR_CAUSE = 0x63;
export const ERROR_END = 0x2e;

/** Node's numbers for the types of arrays. */
export const ARRAY_TYPES: readonly string[] = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'DataView',
  'Buffer',
  'BigInt64Array',
  'BigUint64Array',
];
export const UINT8_ARRAY = 1;
export const DATA_VIEW = 9;
export const BUFFER = 10;

/** In the place of the type of an array: the number of an object of this package follows. Node itself refuses it. */
export const STAND_IN = 0x7f;
