// SPDX-License-Identifier: MIT
//
// An object may be inside of its own arguments: a set of Python whose member refers to the set. Its arguments are then
// written a second time while they are written, and must be complete there, although references to their lists exist.
import { types } from 'node:util';

import { isDict, setOwn } from '../dicts.js';
import { PythonTuple } from '../nodes.js';
import { addOriginals, isOriginal } from '../originals.js';

/**
 * Copies of arguments, in which no container is one that is not complete yet. As in Python, where each call of
 * `__reduce__` makes its list anew.
 *
 * @param isOpen Whether a container was begun since the first time.
 */
export function copyUnfinished(args: readonly unknown[], isOpen: (container: object) => boolean): unknown[] {
  const copies = new Map<object, object>();

  function begin<T extends object>(value: object, copy: T): T {
    copies.set(value, copy);
    return copy;
  }

  function copyOf(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const before = copies.get(value);
    if (before !== undefined) return before;
    if (value instanceof PythonTuple) return new PythonTuple(value.items.map(copyOf));
    if (Array.isArray(value)) {
      const isTuple = isOriginal(value);
      if (!isTuple && !isOpen(value)) return value;
      const copy = begin(value, [] as unknown[]);
      if (isTuple) addOriginals([copy]);
      for (const item of value) copy.push(copyOf(item));
      return copy;
    }
    if (!isOpen(value)) return value;
    if (types.isMap(value)) {
      const copy = begin(value, new Map());
      for (const [key, entry] of value) copy.set(key, copyOf(entry));
      return copy;
    }
    if (types.isSet(value)) return begin(value, new Set(value));
    if (!isDict(value)) return value;
    const copy = begin(value, {});
    for (const [key, entry] of Object.entries(value)) setOwn(copy, key, copyOf(entry));
    return copy;
  }

  return args.map(copyOf);
}
