// SPDX-License-Identifier: MIT
//
// All classes and functions of Python that a pickle may mention although the user has not registered them.
import type { KnownGlobal, ReducerTable } from '../hooks.js';
import type { PickleNode } from '../nodes.js';
import { arrayEncoders, arrayReducers } from './array.js';
import { builtinEncoders, builtinReducers } from './builtins.js';
import { collectionsReducers } from './collections.js';
import { datetimeEncoders, datetimeReducers } from './datetime.js';
import { exceptionReducers } from './exceptions.js';
import { numberEncoders, numberReducers } from './numbers.js';
import { numpyEncoders, numpyReducers } from './numpy.js';

function merge(...tables: readonly ReducerTable[]): ReducerTable {
  const merged = new Map<string, Map<string, KnownGlobal>>();
  for (const table of tables) {
    for (const [module, names] of table) merged.set(module, new Map([...(merged.get(module) ?? []), ...names]));
  }
  return merged;
}

export const known = merge(
  arrayReducers,
  builtinReducers,
  collectionsReducers,
  datetimeReducers,
  exceptionReducers,
  numberReducers,
  numpyReducers,
);

/** The encoders of objects that are not plain data, by prototype. */
export const knownEncoders: ReadonlyMap<unknown, (object: never) => PickleNode> = new Map<
  unknown,
  (object: never) => PickleNode
>([...arrayEncoders, ...builtinEncoders, ...datetimeEncoders, ...numberEncoders, ...numpyEncoders]);
