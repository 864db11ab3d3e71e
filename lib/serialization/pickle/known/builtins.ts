// SPDX-License-Identifier: MIT
//
// Types of Python itself for which older protocols have no opcode, or which are arguments.
import { NEW_DICT, reducerTable, type Reducer } from '../hooks.js';
import { PythonGlobal, reduce, type PickleNode } from '../nodes.js';
import { Complex } from '../values.js';
import { PythonFloat } from '../wrappers.js';
import { array, bytes, items, refuse, text } from './arguments.js';

/** May be mentioned, for example as the factory of a defaultdict, but not called. */
const mentioned: Reducer = { pure: true };

const set: Reducer = { pure: true, call: ([values], budget) => new Set(items(values, budget)) };

const list: Reducer = { pure: true, call: ([values], budget) => [...items(values, budget)] };

function real(value: unknown): number {
  return typeof value === 'number' ? value : refuse('a part is not a float');
}

const complex: Reducer = { pure: true, call: ([re = 0, im = 0]) => new Complex(real(re), real(im)) };

/** Protocol 2 writes bytes as text in Latin-1. */
function encodeText(value: unknown, encoding: unknown, charge: (bytes: number) => void): Buffer {
  const string = text(value, 'the text');
  if (!/^latin-?1$/.test(text(encoding, 'the encoding'))) refuse('only latin1 is supported');
  charge(string.length);

  return /^[\0-\xff]*$/.test(string) ? Buffer.from(string, 'latin1') : refuse('the text is not in latin1');
}

const encode: Reducer = {
  pure: true,
  call: ([value, encoding], budget) => encodeText(value, encoding, (n) => budget.charge(n)),
};

/** Made of nothing, of bytes, or of text and its encoding. */
const bytesLike: Reducer = {
  pure: true,
  call([value, encoding], budget) {
    if (value === undefined) return Buffer.alloc(0);
    if (typeof value === 'string') return encodeText(value, encoding, (n) => budget.charge(n));
    budget.charge(bytes(value, 'the argument').length);
    return Buffer.from(bytes(value, 'the argument'));
  },
};

const builtins: Readonly<Record<string, Reducer>> = {
  bool: mentioned,
  bytearray: bytesLike,
  bytes: bytesLike,
  complex,
  dict: {
    pure: true,
    call: (args) => (args.length === 0 ? NEW_DICT : refuse('only an empty dict is made this way')),
  },
  float: mentioned,
  frozenset: set,
  getattr: { attribute: true },
  int: mentioned,
  list,
  object: mentioned,
  set,
  str: mentioned,
  tuple: list,
};

/** The functions by which `object.__reduce__` and `__newobj__` make an object of a class that is an argument. */
const copyreg: Readonly<Record<string, Reducer>> = {
  _reconstructor: {
    redirect([type, base, state]) {
      if (!(base instanceof PythonGlobal) || base.name !== 'object')
        refuse('the class is derived from a type of Python');
      return { type, args: state === null ? [] : refuse('the class is derived from a type of Python') };
    },
  },
  __newobj__: { redirect: ([type, ...args]) => ({ type, args }) },
  __newobj_ex__: {
    redirect: ([type, args, keywords]) => ({
      type,
      args: keywords === undefined ? array(args, 'args') : refuse('keywords are not supported'),
    }),
  },
};

export const builtinReducers = reducerTable({
  builtins,
  // The names of Python 2, which protocols 0 to 2 still use.
  __builtin__: builtins,
  copyreg,
  copy_reg: copyreg,
  _codecs: { encode },
});

const COMPLEX = new PythonGlobal('builtins', 'complex');

export const builtinEncoders: readonly [object, (object: never) => PickleNode][] = [
  [Complex.prototype, ({ real, imag }: Complex) => reduce(COMPLEX, [new PythonFloat(real), new PythonFloat(imag)])],
];
