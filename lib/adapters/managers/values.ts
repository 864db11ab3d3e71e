// SPDX-License-Identifier: MIT
//
// Values that a manager keeps for Python. They are kept as they were in the pickle that brought them, so that one client
// gets exactly what another one has put: tuples, whole floats, the order of dicts, objects of classes that are unknown
// here. For Node they are pickled once more and read as `pickle.loads` reads.
import { decodePickle, encodePickle } from '../../serialization/pickle/codec.js';
import { isOriginal } from '../../serialization/pickle/originals.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { PythonFloat } from '../../serialization/pickle/wrappers.js';

const EXACT = { exact: true } as const;
const FOR_NODE = { unknown: 'opaque' } as const;

/** The value in a message of a client, as it is kept. */
export function read(bytes: Buffer): unknown {
  return decodePickle(bytes, false, EXACT);
}

/** A message with kept values. */
export function write(value: unknown): Buffer {
  return encodePickle(value, EXACT);
}

/** Keeps a copy of a value of Node. Throws a `PicklingError` if Python could not get it. */
export function keep(value: unknown): unknown {
  return decodePickle(encodePickle(value), false, EXACT);
}

/** A kept value for Node. */
export function forNode(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  return decodePickle(write(value), true, FOR_NODE);
}

/** What two keys have in common that are equal in Python: `1`, `1.0` and `True` are one key. */
export function keyOf(key: unknown): unknown {
  if (typeof key === 'string') return key.startsWith('\0') ? `\0s${key}` : key;
  if (typeof key === 'boolean') return Number(key);
  if (typeof key === 'number' || key === null) return key;
  if (key instanceof PythonFloat) return key.value;
  checkHashable(key);
  return `\0p${write(key).toString('latin1')}`;
}

function checkHashable(key: unknown): void {
  const isList = Array.isArray(key) && !isOriginal(key);
  const isSet = key instanceof Set && !isOriginal(key);
  if (isList || isSet || key instanceof Map) {
    const type = isList ? 'list' : isSet ? 'set' : 'dict';
    throw new PythonError('TypeError', [`unhashable type: '${type}'`]);
  }
  if (Array.isArray(key)) key.forEach(checkHashable);
}
