// SPDX-License-Identifier: MIT
//
// An array of numpy is a typed array that has a shape and a dtype. Its elements are in C order and in this machine's
// byte order, also if they were sent in another one.
import { types } from 'node:util';

import { argumentError } from '../../../core/errors.js';
import { checkInteger } from '../../../core/validate.js';
import { isMarked, markArray, type ArrayMark } from '../../array-mark.js';
import { KnownGlobal, reducerTable, type Budget, type Reducer } from '../hooks.js';
import { hostIsLittleEndian, narrow } from '../integers.js';
import { create, PythonGlobal, PythonTuple, reduce, type PickleNode } from '../nodes.js';
import { Complex } from '../values.js';
import { array, bytes, refuse, text, wholeNumber } from './arguments.js';
import { bytesOf, ELEMENTS, elementsFrom, type TypedArray, type TypedArrayConstructor } from './elements.js';

/** A typed array as an array of numpy: `loads` makes one of a received array, and `ndarray` makes one for sending. */
export type NdArray<T extends TypedArray = TypedArray> = T & ArrayMark;

const MOST_DIMENSIONS = 64;

/** The mark of the byte order that this machine does not have. */
const FOREIGN = hostIsLittleEndian ? '>' : '<';

/** Kinds whose elements are stored as one or two elements of another kind: bool, complex, dates and times. */
const STORED_AS: Readonly<Record<string, string>> = { b1: 'u1', c8: 'f4', c16: 'f8', M8: 'i8', m8: 'i8' };

/** The type of an array's elements. A pickle makes it in several steps. */
export class DType {
  /** Kind and size, such as `f8`. */
  readonly kind: string;
  littleEndian = hostIsLittleEndian;
  /** For dates and times, such as `[ns]`. */
  unit = '';

  constructor(kind: string) {
    this.kind = kind;
  }

  get size(): number {
    return Number(this.kind.slice(1));
  }

  /** The name in numpy, in this machine's byte order. */
  get native(): string {
    return this.#named(hostIsLittleEndian);
  }

  /** The type of the numbers in memory, and the bytes of one. */
  get stored(): [TypedArrayConstructor, number] {
    const kind = STORED_AS[this.kind] ?? this.kind;
    return [
      ELEMENTS[kind] ?? refuse(`dtype ${this.kind} is not supported; send text and objects as a list, by tolist()`),
      Number(kind.slice(1)),
    ];
  }

  /** The name in numpy. */
  toString(): string {
    return this.#named(this.littleEndian);
  }

  #named(littleEndian: boolean): string {
    // The elements of text have several bytes, even if there is one character.
    const hasOrder = this.size > 1 || this.kind.startsWith('U');
    return `${hasOrder && !/^[SVO]/.test(this.kind) ? (littleEndian ? '<' : '>') : '|'}${this.kind}${this.unit}`;
  }
}

function dtypeOf(value: unknown): DType {
  return value instanceof DType ? value : refuse('its dtype is not a dtype');
}

const dtype: Reducer = {
  pure: true,
  most: 3,
  call: ([kind, align, copy]) => {
    if (typeof align === 'object' || typeof copy === 'object') refuse('its options are not supported');
    const match = /^([<>|=])?([a-zA-Z])(\d+)$/.exec(text(kind, 'the dtype'));
    if (match === null) return refuse(`dtype ${text(kind, 'the dtype').slice(0, 20)} is not supported`);
    const made = new DType(`${match[2]}${Number(match[3])}`);
    if (match[1] === '<' || match[1] === '>') made.littleEndian = match[1] === '<';
    return made;
  },
  build(object, state) {
    const fields = array(state, 'its state');
    const made = dtypeOf(object);
    if (fields[0] !== 3 && fields[0] !== 4) refuse('its version is not supported');
    if (fields[2] !== null || fields[3] !== null) refuse('arrays with fields are not supported');
    const order = text(fields[1], 'its byte order');
    if (order === '<' || order === '>') made.littleEndian = order === '<';
    if (fields[8] === undefined || fields[8] === null) return;
    const [, unit] = array(fields[8], 'its metadata');
    const [name, count] = array(unit, 'its unit');
    const label = Buffer.isBuffer(name) ? name.toString('latin1') : text(name, 'its unit');
    if (!/^[a-zA-Z]{1,7}$/.test(label)) refuse('its unit is invalid');
    made.unit = `[${count === 1 ? '' : wholeNumber(count, 'its unit', 1, 2 ** 31)}${label}]`;
  },
};

export function checkShape(value: unknown): number[] {
  const shape = (Array.isArray(value) ? (value as unknown[]) : [value]).map((length) =>
    wholeNumber(length, 'a dimension', 0, Number.MAX_SAFE_INTEGER),
  );
  return shape.length > MOST_DIMENSIONS ? refuse('it has too many dimensions') : shape;
}

/** The axes in the order in which their indices vary in memory, the slowest one first. */
function checkAxes(value: unknown, count: number): number[] {
  const axes = array(value, 'its axis order').map((axis) => wholeNumber(axis, 'an axis', 0, count - 1));
  return axes.length === count && new Set(axes).size === count ? axes : refuse('its axis order is invalid');
}

/**
 * Brings elements of `size` bytes into C order, in which the last index varies fastest.
 *
 * @param axes The axes in the order in which their indices vary in `content`, the slowest one first.
 */
function toRowMajor(
  content: Buffer,
  shape: readonly number[],
  axes: readonly number[],
  size: number,
  budget: Budget,
): Buffer {
  if (axes.every((axis, i) => axis === i)) return content;
  budget.charge(content.length);
  const result = Buffer.allocUnsafe(content.length);
  const strides: number[] = [];
  let stride = size;
  for (const axis of [...axes].reverse()) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < content.length; to += size) {
    content.copy(result, to, from, from + size);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] as number;
      if (++(index[axis] as number) < (shape[axis] as number)) break;
      from -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The axes of an array, in reverse for one in Fortran order. */
function axesOf(shape: readonly number[], fortran: boolean): number[] {
  const axes = shape.map((_, axis) => axis);
  return fortran ? axes.reverse() : axes;
}

function makeArray(
  type: DType,
  shape: readonly number[],
  content: Buffer,
  axes: readonly number[],
  budget: Budget,
): NdArray {
  const isHalf = type.kind === 'f2';
  const [stored, size]: DType['stored'] = isHalf ? [Uint16Array, 2] : type.stored;
  // With a dimension of zero there are no elements, however large the others are.
  const count = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  if (count * type.size !== content.length) refuse('its shape and its bytes do not match');
  const ordered = toRowMajor(content, shape, axes, type.size, budget);
  if (isHalf) {
    // Not all releases of Node have a Float16Array, so the elements become the next larger floats.
    const halves = elementsFrom(stored, size, ordered, type.littleEndian, budget);
    budget.charge(4 * count);
    return ndarray(Float32Array.from(halves as Uint16Array, halfToNumber), shape);
  }
  return markArray(elementsFrom(stored, size, ordered, type.littleEndian, budget), shape, type.native);
}

const frombuffer: Reducer = {
  pure: true,
  most: 5,
  call([content, type, shape, order, axisOrder], budget) {
    const lengths = checkShape(shape);
    const make = (dimensions: readonly number[], axes: readonly number[]): NdArray =>
      makeArray(dtypeOf(type), dimensions, bytes(content, 'its content'), axes, budget);
    if (order === 'C' || order === 'F') {
      if (axisOrder !== undefined && axisOrder !== null) refuse('its axis order is not supported');
      return make(lengths, axesOf(lengths, order === 'F'));
    }
    if (order !== 'K') return refuse('its order is not supported');
    // `shape` is that of the memory, in C order; `axisOrder` transposes it: axis i of the array is axis axisOrder[i] there.
    const transposed = checkAxes(axisOrder, lengths.length);
    const axes: number[] = [];
    transposed.forEach((inMemory, axis) => (axes[inMemory] = axis));
    return make(
      transposed.map((axis) => lengths[axis] as number),
      axes,
    );
  },
};

/** Gives an empty array its state. */
function buildArray(_: unknown, state: unknown, budget: Budget): NdArray {
  const fields = array(state, 'its state');
  const [version, shape, type, fortran, content] = fields;
  if (fields.length !== 5 || version !== 1) refuse('the version of its state is not supported');
  if (Array.isArray(content)) refuse('arrays of Python objects are not supported');
  const lengths = checkShape(shape);
  const axes = axesOf(lengths, fortran === true);
  return makeArray(dtypeOf(type), lengths, bytes(content, 'its content'), axes, budget);
}

function makeEmpty(shape: unknown): NdArray {
  if (checkShape(shape).join() !== '0') refuse('it is not made empty');
  return ndarray(new Int8Array(0));
}

/** The class itself, whose `__new__` makes an empty array. */
const ndarrayClass: Reducer = { pure: true, most: 1, call: ([shape]) => makeEmpty(shape), build: buildArray };

/** Makes an empty array of a class, of which only ndarray itself is known. */
const reconstruct: Reducer = {
  pure: true,
  most: 3,
  foreign: ([type]) => !(type instanceof KnownGlobal && type.reducer === ndarrayClass),
  call: ([, shape]) => makeEmpty(shape),
  build: buildArray,
};

/** Text of four bytes per character. As numpy does, zeros at the end are left out. */
function textOf(content: Buffer, littleEndian: boolean): string {
  const codes: number[] = [];
  for (let at = 0; at + 4 <= content.length; at += 4) {
    codes.push(littleEndian ? content.readUInt32LE(at) : content.readUInt32BE(at));
  }
  while (codes.at(-1) === 0) codes.pop();
  return codes.map((code) => String.fromCodePoint(code)).join('');
}

const scalar: Reducer = {
  pure: true,
  most: 2,
  call([type, content], budget) {
    const { kind, littleEndian } = dtypeOf(type);
    if (kind.startsWith('U')) {
      const text = bytes(content, 'its content');
      budget.charge(4 * text.length);
      return textOf(text, littleEndian);
    }
    if (kind.startsWith('M') || kind.startsWith('m')) {
      refuse(`scalars of dtype ${kind} are not supported: send an array of one, or call item()`);
    }
    const elements = makeArray(dtypeOf(type), [1], bytes(content, 'its content'), [0], budget);
    const [first, second] = elements;
    if (kind === 'b1') return first !== 0;
    if (kind.startsWith('c')) return new Complex(Number(first), Number(second));
    return typeof first === 'bigint' ? narrow(first) : first;
  },
};

const multiarray = { _reconstruct: reconstruct, scalar };
const numeric = { _frombuffer: frombuffer };

/** Under the module names of numpy 1 and 2. */
export const numpyReducers = reducerTable({
  numpy: { dtype, ndarray: ndarrayClass },
  'numpy.core.multiarray': multiarray,
  'numpy._core.multiarray': multiarray,
  'numpy.core.numeric': numeric,
  'numpy._core.numeric': numeric,
});

const NDARRAY = new PythonGlobal('numpy', 'ndarray');
const DTYPE = new PythonGlobal('numpy', 'dtype');

/** The built-in class of a typed array, by which its elements are stored. */
function constructorOf(elements: TypedArray): string {
  // The name of the built-in class, whatever the realm and the derived class.
  const name = elements[Symbol.toStringTag];
  return name === 'Uint8ClampedArray' ? 'Uint8Array' : name;
}

/**
 * Checks that elements are of a dtype and in this machine's byte order, since numpy takes their bytes as they are. Returns
 * the bytes of an element of numpy.
 */
function checkDtype(elements: TypedArray, name: string): number {
  const [, order, kind = ''] =
    /^([<>|=])?(b1|[iu][1248]|f[248]|c8|c16|[Mm]8(?=\[\d*[a-zA-Z]+\]$))(?:\[.*)?$/.exec(name) ?? [];
  if (kind === '') throw argumentError('range', `dtype ${name} is not supported`);
  const size = Number(kind.slice(1));
  const type = constructorOf(elements);
  const stored = kind === 'f2' ? ['Uint16Array', 'Float16Array'] : [ELEMENTS[STORED_AS[kind] ?? kind]?.name];
  if (!stored.includes(type)) {
    throw argumentError('range', `dtype ${name} is that of a ${stored.join(' or a ')}, not of a ${type}`);
  }
  if (size > 1 && order === FOREIGN) {
    throw argumentError(
      'range',
      `dtype ${name} is not in the byte order of this machine, as the elements of a ${type} are`,
    );
  }
  return size;
}

function checkShapeOf(elements: TypedArray, shape: readonly number[], size: number): void {
  if (!Array.isArray(shape)) throw argumentError('type', 'shape must be an Array');
  if (shape.length > MOST_DIMENSIONS)
    throw argumentError('range', `shape must have at most ${MOST_DIMENSIONS} dimensions`);
  shape.forEach((length, i) => checkInteger(length, `shape[${i}]`));
  if (shape.reduce((product: number, length: number) => product * length, size) !== elements.byteLength) {
    throw argumentError('range', `shape must be that of ${elements.byteLength / size} elements`);
  }
}

/** The dtype of what a typed array has, without a mark. */
export function defaultDtype(elements: TypedArray): string {
  const type = constructorOf(elements);
  const found = Object.entries(ELEMENTS).find(([, one]) => one.name === type);
  if (found === undefined) throw argumentError('type', 'elements must be a typed array');
  return new DType(found[0]).native;
}

/**
 * Marks a typed array to be sent as an array of numpy. Returns the same typed array, which then has a `shape` and a
 * `dtype`.
 *
 * @param shape The length of each dimension. Default: one dimension.
 * @param dtype The type of the elements, where it is not that of the typed array: `'|b1'` for booleans in a Uint8Array,
 *   `'<c16'` for complex numbers in a Float64Array (two elements each), `'<M8[ns]'` for dates in a BigInt64Array, `'<f2'`
 *   for the bits of half-precision floats in a Uint16Array. Its byte order must be that of this machine.
 * @throws TypeError or RangeError if the elements, the shape and the dtype do not match.
 */
export function ndarray<T extends TypedArray>(elements: T, shape?: readonly number[], dtype?: string): NdArray<T> {
  if (!ArrayBuffer.isView(elements) || types.isDataView(elements)) {
    throw argumentError('type', 'elements must be a typed array');
  }
  const name = dtype ?? defaultDtype(elements);
  if (typeof name !== 'string') throw argumentError('type', 'dtype must be a string');
  const size = checkDtype(elements, name);
  const lengths = shape ?? [elements.byteLength / size];
  checkShapeOf(elements, lengths, size);
  return markArray(elements, lengths, name);
}

/** Whether a typed array is sent as an array of numpy. */
export const isNdArray = isMarked as (value: object) => value is NdArray;

/** The class of the typed array that has the elements of a dtype in this machine's byte order, and how many it has for one. */
export function storageOf(name: string): { readonly type: string; readonly each: number } {
  const [, order, kind = ''] = /^([<>|=])?([a-zA-Z]\d+)(?:\[\d*[a-zA-Z]{1,7}\])?$/.exec(name) ?? [];
  const { size, stored } = new DType(kind);
  const [Type] = stored;
  if (size > 1 && order === FOREIGN) refuse(`dtype ${name} is not in the byte order of this machine`);
  const { BYTES_PER_ELEMENT } = Type as unknown as { BYTES_PER_ELEMENT: number };
  return { type: Type.name, each: size / BYTES_PER_ELEMENT };
}

/** Checks properties that other code may have set, and memory that may have changed since. */
export function checkNdArray(elements: NdArray): void {
  checkShapeOf(elements, elements.shape, checkDtype(elements, elements.dtype));
}

export function encodeNdArray(elements: NdArray): PickleNode {
  checkNdArray(elements);
  const content = bytesOf(elements);
  const state = [1, new PythonTuple(elements.shape), reduce(DTYPE, [elements.dtype]), false, content];
  return create(NDARRAY, [new PythonTuple([0])], new PythonTuple(state));
}

export const numpyEncoders: readonly [object, (object: never) => PickleNode][] = [
  [DType.prototype, (type: DType) => reduce(DTYPE, [type.toString()])],
];
