// SPDX-License-Identifier: MIT
//
// An array of numpy is a typed array that has a shape and a dtype. Its elements are in C order and in this machine's
// byte order, also if they were sent in another one.
import { argumentError } from '../../../core/errors.js';
import { checkInteger } from '../../../core/validate.js';
import { reducerTable, type Budget, type Reducer } from '../hooks.js';
import { hostIsLittleEndian, narrow } from '../integers.js';
import { create, PythonGlobal, PythonTuple, reduce, type PickleNode } from '../nodes.js';
import { Complex } from '../values.js';
import { array, bytes, refuse, text, wholeNumber } from './arguments.js';
import { bytesOf, ELEMENTS, elementsFrom, type TypedArray, type TypedArrayConstructor } from './elements.js';

/** A typed array as an array of numpy: `loads` makes one of a received array, and `ndarray` makes one for sending. */
export type NdArray<T extends TypedArray = TypedArray> = T & {
  /** The length of each dimension; the last one varies fastest. CPython: `ndarray.shape`. */
  readonly shape: readonly number[];
  /** The type of its elements, such as `'<f8'`. CPython: `ndarray.dtype.str`. */
  readonly dtype: string;
};

const MOST_DIMENSIONS = 64;

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

  /** The type of the numbers in memory, and the bytes of one. */
  get stored(): [TypedArrayConstructor, number] {
    const kind = STORED_AS[this.kind] ?? this.kind;
    return [ELEMENTS[kind] ?? refuse(`arrays of dtype ${this.kind} are not supported`), Number(kind.slice(1))];
  }

  /** The name in numpy, in this machine's byte order. */
  toString(): string {
    return `${this.size === 1 ? '|' : hostIsLittleEndian ? '<' : '>'}${this.kind}${this.unit}`;
  }
}

function dtypeOf(value: unknown): DType {
  return value instanceof DType ? value : refuse('its dtype is not a dtype');
}

const dtype: Reducer = {
  pure: true,
  call: ([kind]) => {
    const match = /^([<>|=])?([a-zA-Z])(\d+)$/.exec(text(kind, 'the dtype'));
    if (match === null) return refuse(`dtype ${text(kind, 'the dtype').slice(0, 20)} is not supported`);
    const made = new DType(`${match[2]}${Number(match[3])}`);
    if (match[1] === '<' || match[1] === '>') made.littleEndian = match[1] === '<';
    return made;
  },
  build(object, state) {
    const fields = array(state, 'its state');
    const made = dtypeOf(object);
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

function checkShape(value: unknown): number[] {
  const shape = (Array.isArray(value) ? (value as unknown[]) : [value]).map((length) =>
    wholeNumber(length, 'a dimension', 0, Number.MAX_SAFE_INTEGER),
  );
  return shape.length > MOST_DIMENSIONS ? refuse('it has too many dimensions') : shape;
}

/** Brings elements of `size` bytes from Fortran order, in which the first index varies fastest, into C order. */
function toRowMajor(content: Buffer, shape: readonly number[], size: number, budget: Budget): Buffer {
  if (shape.length < 2) return content;
  budget.charge(content.length);
  const result = Buffer.allocUnsafe(content.length);
  const strides: number[] = [];
  let stride = size;
  for (const length of shape) {
    strides.push(stride);
    stride *= length;
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

function makeArray(type: DType, shape: readonly number[], content: Buffer, fortran: boolean, budget: Budget): NdArray {
  // With a dimension of zero there are no elements, however large the others are.
  const count = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  if (count * type.size !== content.length) refuse('its shape and its bytes do not match');
  const ordered = fortran ? toRowMajor(content, shape, type.size, budget) : content;
  if (type.kind === 'f2') {
    // Not all releases of Node have a Float16Array, so the elements become the next larger floats.
    const halves = elementsFrom(Uint16Array, 2, ordered, type.littleEndian, budget);
    budget.charge(4 * count);
    return ndarray(Float32Array.from(halves as Uint16Array, halfToNumber), shape);
  }
  const [stored, size] = type.stored;
  return mark(elementsFrom(stored, size, ordered, type.littleEndian, budget), shape, type.toString());
}

function mark<T extends TypedArray>(elements: T, shape: readonly number[], name: string): NdArray<T> {
  // Not enumerable, so that the array equals a typed array of the same elements.
  return Object.defineProperties(elements, {
    shape: { value: Object.freeze([...shape]), configurable: true },
    dtype: { value: name, configurable: true },
  }) as NdArray<T>;
}

const frombuffer: Reducer = {
  pure: true,
  call: ([content, type, shape, order], budget) =>
    makeArray(dtypeOf(type), checkShape(shape), bytes(content, 'its content'), order === 'F', budget),
};

const reconstruct: Reducer = {
  pure: true,
  call: () => mark(new Uint8Array(0), [0], '|u1'),
  build(_, state, budget) {
    const [, shape, type, fortran, content] = array(state, 'its state');
    if (Array.isArray(content)) refuse('arrays of Python objects are not supported');
    return makeArray(dtypeOf(type), checkShape(shape), bytes(content, 'its content'), fortran === true, budget);
  },
};

const scalar: Reducer = {
  pure: true,
  call([type, content], budget) {
    const { kind } = dtypeOf(type);
    const elements = makeArray(dtypeOf(type), [1], bytes(content, 'its content'), false, budget);
    const [first, second] = elements;
    if (kind === 'b1') return first !== 0;
    if (kind.startsWith('c')) return new Complex(Number(first), Number(second));
    if (kind.startsWith('M') || kind.startsWith('m')) refuse(`scalars of dtype ${kind} are not supported`);
    return typeof first === 'bigint' ? narrow(first) : first;
  },
};

const multiarray = { _reconstruct: reconstruct, scalar };
const numeric = { _frombuffer: frombuffer };

/** Under the module names of numpy 1 and 2. */
export const numpyReducers = reducerTable({
  numpy: { dtype, ndarray: reconstruct },
  'numpy.core.multiarray': multiarray,
  'numpy._core.multiarray': multiarray,
  'numpy.core.numeric': numeric,
  'numpy._core.numeric': numeric,
});

const NDARRAY = new PythonGlobal('numpy', 'ndarray');
const DTYPE = new PythonGlobal('numpy', 'dtype');

/** Checks the name of a dtype. Returns the bytes of an element. */
function parseDtype(name: string): number {
  const match = /^[<>|=]?(?:b1|[iu][1248]|f[248]|c8|c16|[Mm]8\[\d*[a-zA-Z]+\])$/.test(name) ? /\d+/.exec(name) : null;
  if (match === null) throw argumentError('range', `dtype ${name} is not supported`);
  return Number(match[0]);
}

function defaultDtype(elements: TypedArray): string {
  const type = elements instanceof Uint8ClampedArray ? Uint8Array : elements.constructor;
  const found = Object.entries(ELEMENTS).find(([, one]) => one === type || elements instanceof one);
  if (found === undefined) throw argumentError('type', 'elements must be a typed array');
  return new DType(found[0]).toString();
}

/**
 * Marks a typed array to be sent as an array of numpy. Returns the same typed array, which then has a `shape` and a
 * `dtype`.
 *
 * @param shape The length of each dimension. Default: one dimension.
 * @param dtype The type of the elements, where it is not that of the typed array: `'|b1'` for booleans in a Uint8Array,
 *   `'<c16'` for complex numbers in a Float64Array (two elements each), `'<M8[ns]'` for dates in a BigInt64Array.
 * @throws TypeError or RangeError if the elements, the shape and the dtype do not match.
 */
export function ndarray<T extends TypedArray>(elements: T, shape?: readonly number[], dtype?: string): NdArray<T> {
  if (!ArrayBuffer.isView(elements) || elements instanceof DataView) {
    throw argumentError('type', 'elements must be a typed array');
  }
  const name = dtype ?? defaultDtype(elements);
  if (typeof name !== 'string') throw argumentError('type', 'dtype must be a string');
  const size = parseDtype(name);
  const lengths = shape ?? [elements.byteLength / size];
  if (!Array.isArray(lengths)) throw argumentError('type', 'shape must be an Array');
  if (lengths.length > MOST_DIMENSIONS)
    throw argumentError('range', `shape must have at most ${MOST_DIMENSIONS} dimensions`);
  lengths.forEach((length, i) => checkInteger(length, `shape[${i}]`));
  if (lengths.reduce((product: number, length: number) => product * length, size) !== elements.byteLength) {
    throw argumentError('range', `shape must be that of ${elements.byteLength / size} elements`);
  }
  return mark(elements, lengths, name);
}

/** Whether a typed array is sent as an array of numpy. */
export function isNdArray(value: object): value is NdArray {
  return ArrayBuffer.isView(value) && Object.hasOwn(value, 'shape') && Object.hasOwn(value, 'dtype');
}

export function encodeNdArray(elements: NdArray): PickleNode {
  const content = bytesOf(elements);
  const state = [1, new PythonTuple(elements.shape), reduce(DTYPE, [elements.dtype]), false, content];
  return create(NDARRAY, [new PythonTuple([0])], new PythonTuple(state));
}

export const numpyEncoders: readonly [object, (object: never) => PickleNode][] = [
  [DType.prototype, (type: DType) => reduce(DTYPE, [type.toString()])],
];
