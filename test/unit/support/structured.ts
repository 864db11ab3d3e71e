// SPDX-License-Identifier: MIT
//
// Values of every kind in V8's format, and the bytes that a Connection makes of them.
import * as path from 'node:path';
import { createContext, runInContext } from 'node:vm';

import { makePair, type AnyConnection } from '../../helpers/index.js';

/** A Connection to itself, for messages that fit into the buffer of a pipe. */
export class Codec {
  readonly #reader: AnyConnection;
  readonly #writer: AnyConnection;

  constructor() {
    const { reader, writer } = makePair('pipe');
    this.#reader = reader;
    this.#writer = writer;
  }

  /** The message of a value. */
  encode(value: unknown): Buffer {
    this.#writer.sendSync(value);
    return this.#reader.recvBytesSync();
  }

  /** The value of a message. */
  decode(message: Uint8Array): unknown {
    this.#writer.sendBytesSync(message);
    return this.#reader.recvSync();
  }

  /** What is received of a value. */
  carry(value: unknown): unknown {
    this.#writer.sendSync(value);
    return this.#reader.recvSync();
  }
}

/** The value of an expression in another realm. */
export function foreign(code: string): unknown {
  return runInContext(`(${code})`, createContext({ Buffer }));
}

class Point {
  readonly #hidden = 1;
  readonly x = 1;
  y = { z: [2] };
  get seen(): number {
    return this.#hidden;
  }
}

class List extends Array<unknown> {}

class Failure extends TypeError {
  override readonly name = 'Failure';
}

function cyclic(): unknown {
  const list: unknown[] = [1];
  const map = new Map<unknown, unknown>();
  const value: Record<string, unknown> = { a: 1, list, map, set: new Set([list]), after: { list } };
  value['self'] = value;
  list.push(value, list);
  map.set(map, value);
  return value;
}

function family(): unknown {
  const parent = { name: 'parent', children: [] as unknown[] };
  for (let i = 0; i < 50; i++) parent.children.push({ i, parent, first: parent.children[0] });
  return parent;
}

const lengths = [0, 1, 11, 12, 13, 39, 40, 41, 127, 128, 300];
const buffer = new ArrayBuffer(24);
const resizable = new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(5, {
  maxByteLength: 64,
});
const sharedBytes = new Uint8Array(new SharedArrayBuffer(8)).fill(3);

/** Values that V8 carries, by what is special about them. */
export const carried: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  booleans: [true, false],
  integers: [0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)],
  doubles: [-0, 0.5, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 5e-324, 1.7976931348623157e308],
  bigints: [0n, 1n, -1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 2n ** 128n - 1n, -(7n ** 400n)],
  'strings of one byte per character': lengths.map((length) => 'aé\xff'.repeat(length).slice(0, length)),
  'strings of two bytes per character': lengths.map((length) => '漢字a'.repeat(length).slice(0, length)),
  'strings that end beyond one byte': lengths.map((length) => 'a'.repeat(length) + '\u0100'),
  'lone surrogates': ['\ud800', 'a\udc00b', '\udfff\ud800', `${'x'.repeat(50)}\ud83d`],
  'joined and cut strings': [
    ['a', 'b', 'c'].join('-').repeat(9) + String(carriedCount()),
    'abcdefghijklmnopqrstuvwxyz'.slice(3, 20),
  ],
  'an object': { a: 1, b: 'two', c: null, d: undefined, 'e f': true, '': 0, é: 1, 漢: 2 },
  'integer keys': { b: 1, 7: 2, 0: 3, '01': 4, '-1': 5, 4294967294: 6, 4294967295: 7, 1.5: 8, 2147483648: 9 },
  'an object without a prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'an object with an inherited key': Object.create({ inherited: 1 }) as object,
  'symbols as keys': { [Symbol('unseen')]: 1, seen: 2 },
  'keys that are not enumerable': Object.defineProperty({ a: 1 }, 'hidden', { value: 2 }),
  'names of the platform as keys': JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":3}') as unknown,
  'a long key': { ['k'.repeat(500)]: 1, ['ü'.repeat(64)]: 2 },
  'a dictionary': Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i * 7919}`, i])),
  'a dictionary of objects': Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`key ${i}`, { i }])),
  'objects of one kind': Array.from({ length: 40 }, (_, id) => ({ id, name: `name ${id}`, tags: ['a'], n: null })),
  'objects with a key of objects before': [{ a: 1 }, { a: 1, b: 2 }, { b: 2, a: 1 }, { a: 1, c: 3 }, {}, { a: 1 }],
  arrays: [[], [1], [1.5, 'a', [undefined, null]], Array.from({ length: 1000 }, (_, i) => i)],
  'arrays with holes': [[1, , 3], [, ,], [, 'a'], new Array(5), new Array(1)], // eslint-disable-line no-sparse-arrays
  'long arrays with holes': [
    Object.assign(new Array<number>(5000), { 4: 1, 4000: 2 }),
    Object.assign(Array.from({ length: 200 }), { 300: 'x' }),
    Object.assign([1, 2], { length: 100_000 }),
    Object.assign([1, 2], { length: 4_294_967_295 }),
  ],
  'arrays with other properties': [
    'xaby'.match(/a(?<name>b)/),
    Object.assign([], { key: 1 }),
    Object.assign([1, 2], { key: { a: 1 }, '-1': 2, '1.5': 3 }),
    Object.assign(
      Array.from({ length: 2000 }, (_, i) => i),
      { key: 'of a long one' },
    ),
    Object.assign(
      Array.from({ length: 2000 }, (_, i) => String(i)),
      { key: [1] },
    ),
  ],
  'an array with an item that is not enumerable': Object.defineProperty([1, 2, 3], 1, { enumerable: false }),
  dates: [new Date(0), new Date(-1.5e12), new Date(8.64e15)],
  maps: [
    new Map(),
    new Map<unknown, unknown>([
      [1, 'a'],
      [NaN, { a: 1 }],
      [{ k: 1 }, new Map([[-0, 1]])],
    ]),
  ],
  sets: [new Set(), new Set<unknown>([1, 'a', { a: 1 }, new Set([undefined])])],
  'regular expressions': [/a\/b+/, /[\n]ü漢/dgimsuy, new RegExp(''), new RegExp('[a--b]', 'v')],
  'wrapped primitives': [Object(1.5), Object('text'), Object('漢'), Object(true), Object(false), Object(-(2n ** 70n))],
  'array buffers': [new ArrayBuffer(0), new Uint8Array([1, 2, 3]).buffer, buffer],
  'a resizable buffer': resizable,
  'views of a resizable buffer': [
    new Uint8Array(resizable, 1),
    new Uint8Array(resizable, 1, 2),
    new DataView(resizable),
  ],
  'views of shared memory': [sharedBytes, sharedBytes.subarray(2, 5), new DataView(sharedBytes.buffer, 4)],
  'typed arrays': [
    new Int8Array([-1]),
    new Uint8Array([255]),
    new Uint8ClampedArray([300]),
    new Int16Array([-2]),
    new Uint16Array([65535]),
    new Int32Array([-3]),
    new Uint32Array([2 ** 32 - 1]),
    new Float32Array([0.5]),
    new Float64Array([-0, NaN]),
    new DataView(buffer, 3, 5),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new Float64Array(buffer, 8, 1),
    new Uint16Array(0),
    new Uint8Array(1000).fill(7),
  ],
  buffers: [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(5000, 1).subarray(9), Buffer.from('pooled').subarray(2)],
  'class instances': [
    new Point(),
    Object.create(Point.prototype),
    new (class extends Point {})(),
    new List(3),
    new (class {
      x = 1;
    })(),
  ],
  errors: [new Error('m'), new RangeError('ü漢'), new Failure('f'), Object.assign(new Error(), { stack: 5 })],
  'a value in several places': [sharedBytes, sharedBytes, resizable, resizable, Object(1)],
  cycles: cyclic(),
  'many references': family(),
  'nested values': Array.from({ length: 500 }).reduce((inner) => ({ inner: [inner] }), 'deep'),
  'an object with the tag of another kind': { [Symbol.toStringTag]: 'Arguments', a: 1 },
  'objects with the prototype of plain ones': [
    Object.setPrototypeOf(new Date(5), Object.prototype),
    Object.setPrototypeOf(/a/g, Object.prototype),
    Object.setPrototypeOf(new Number(5), Object.prototype),
  ],
  'values of another realm': [
    '{ a: [1, { b: 2 }] }',
    'new Map([[1, { a: 1 }]])',
    'new Set([[1]])',
    'new Date(5)',
    '/a/g',
    'Object("s")',
    'new Float64Array([1, 2])',
    'new Uint8Array([1]).buffer',
    'new DataView(new ArrayBuffer(3))',
    'Object.assign([1], { k: 1 })',
    'Buffer.from("ab")',
    'new (class A { x = 1 })()',
    'Object.create(null)',
  ].map(foreign),
};

function carriedCount(): number {
  return lengths.length;
}

const argumentsObject = function (): object {
  // eslint-disable-next-line prefer-rest-params -- This kind of object is what is tested.
  return arguments;
} as (...values: unknown[]) => object;

function detached(): ArrayBuffer {
  const memory = new ArrayBuffer(8);
  structuredClone(memory, { transfer: [memory] });
  return memory;
}

/** Makes values that V8 refuses. */
export const refused: Readonly<Record<string, () => unknown>> = {
  'a function': () => () => 1,
  'a class': () =>
    class {
      x = 1;
    },
  'a symbol': () => Symbol('s'),
  'a wrapped symbol': () => Object(Symbol('s')) as unknown,
  'a Proxy of an object': () => new Proxy({ a: 1 }, {}),
  'a Proxy of an array': () => new Proxy([1], {}),
  'a Proxy of a Map': () => new Proxy(new Map(), {}),
  'a revoked Proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  arguments: () => argumentsObject(1, 2),
  'a module': () => path,
  'a generator': () => (function* () {})(),
  'an iterator of a Map': () => new Map().entries(),
  'an iterator of an array': () => [][Symbol.iterator](),
  'a WeakMap': () => new WeakMap(),
  'a WeakRef': () => new WeakRef({}),
  'a Promise': () => Promise.resolve(),
  'a formatter': () => new Intl.NumberFormat(),
  'the global object': () => globalThis,
  'shared memory': () => new SharedArrayBuffer(3),
  'memory that is detached': () => detached(),
  'a view of memory that is detached': () => {
    const view = new Uint8Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  },
};
