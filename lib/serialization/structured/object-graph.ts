// SPDX-License-Identifier: MIT
import { types } from 'node:util';

import { argumentError } from '../../core/errors.js';

/** A value as bytes, and beside it the objects of this package that it contains. */
export interface ObjectGraph {
  /** The reduced forms, and for each stand-in, in the order of their numbers, the index of its object among them. */
  readonly objects: readonly [readonly unknown[], readonly number[]];
  readonly value: Uint8Array;
}

/** Checks the form of a graph that was received. The reduced forms are checked when the objects are rebuilt. */
export function checkGraph(value: unknown): ObjectGraph {
  const { objects, value: bytes } = (value ?? {}) as Partial<ObjectGraph>;
  const lists = Array.isArray(objects) && objects.length === 2 && objects.every(Array.isArray);
  if (types.isUint8Array(bytes) && lists) return { objects, value: bytes };
  throw argumentError('type', 'the message was not made by this package');
}
