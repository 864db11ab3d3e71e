// SPDX-License-Identifier: MIT
//
// Types of Python itself for which older protocols have no opcode, or which are arguments.
import { copyReceived } from '../../../core/large-buffers.js';
import { KnownGlobal, NEW_DICT, reducerTable, type Reducer } from '../hooks.js';
import { PythonGlobal, reduce, type PickleNode } from '../nodes.js';
import { Complex } from '../values.js';
import { PythonFloat } from '../wrappers.js';
import { array, bytes, items, refuse, text } from './arguments.js';

/** May be mentioned, for example as the factory of a defaultdict, but not called. */
const mentioned: Reducer = { pure: true };

/** The class `object` itself. */
const object: Reducer = { pure: true };

const frozenset: Reducer = {
  pure: true,
  most: 1,
  call: ([values], reading) => reading.original(new Set(items(values, reading))),
};

const set: Reducer = { pure: true, most: 1, byInit: true, call: ([values], budget) => new Set(items(values, budget)) };

const list: Reducer = { pure: true, most: 1, byInit: true, call: ([values], budget) => [...items(values, budget)] };

const tupleReducer: Reducer = {
  pure: true,
  most: 1,
  call: ([values], reading) => reading.original([...items(values, reading)]),
};

function real(value: unknown): number {
  return typeof value === 'number' ? value : refuse('a part is not a float');
}

const complex: Reducer = { pure: true, most: 2, call: ([re = 0, im = 0]) => new Complex(real(re), real(im)) };

/** Protocol 2 writes bytes as text in Latin-1. */
function encodeText(value: unknown, encoding: unknown, charge: (bytes: number) => void): Buffer {
  const string = text(value, 'the text');
  if (!/^latin-?1$/.test(text(encoding, 'the encoding'))) refuse('only latin1 is supported');
  charge(string.length);

  return /^[\0-\xff]*$/.test(string)
    ? copyReceived(Buffer.from(string, 'latin1'))
    : refuse('the text is not in latin1');
}

const encode: Reducer = {
  pure: true,
  most: 2,
  call: ([value, encoding], budget) => encodeText(value, encoding, (n) => budget.charge(n)),
};

/** Made of nothing, of bytes, or of text and its encoding. */
const bytesLike: Reducer = {
  pure: true,
  most: 2,
  call([value, encoding], budget) {
    if (value === undefined) return Buffer.alloc(0);
    if (typeof value === 'string') return encodeText(value, encoding, (n) => budget.charge(n));
    budget.charge(bytes(value, 'the argument').length);
    return copyReceived(bytes(value, 'the argument'));
  },
};

const bytearray: Reducer = {
  pure: true,
  most: 2,
  byInit: true,
  call: (args, reading) => reading.original(bytesLike.call?.(args, reading) as Buffer),
};

const builtins: Readonly<Record<string, Reducer>> = {
  bool: mentioned,
  bytearray,
  bytes: bytesLike,
  complex,
  dict: {
    pure: true,
    most: 0,
    call: () => NEW_DICT,
  },
  float: mentioned,
  frozenset,
  getattr: { attribute: true },
  int: mentioned,
  list,
  object,
  set,
  str: mentioned,
  tuple: tupleReducer,
};

/** The functions by which `object.__reduce__` and `__newobj__` make an object of a class that is an argument. */
const copyreg: Readonly<Record<string, Reducer>> = {
  _reconstructor: {
    most: 3,
    // An object of a class that is derived from a type of Python has a value of that type, which is `state`.
    foreign: ([, base]) => !(base instanceof KnownGlobal && base.reducer === object),
    redirect: ([type, , state]) => ({ type, args: state === null ? [] : refuse('an object takes no value') }),
  },
  __newobj__: { redirect: ([type, ...args]) => ({ type, args }) },
  __newobj_ex__: {
    most: 3,
    redirect: ([type, args, keywords]) => ({ type, args: array(args, 'args'), keywords }),
  },
};

export const builtinReducers = reducerTable({
  builtins,
  copyreg,
  _codecs: { encode },
});

const COMPLEX = new PythonGlobal('builtins', 'complex');

export const builtinEncoders: readonly [object, (object: never) => PickleNode][] = [
  [Complex.prototype, ({ real, imag }: Complex) => reduce(COMPLEX, [new PythonFloat(real), new PythonFloat(imag)])],
];
