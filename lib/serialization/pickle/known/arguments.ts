// SPDX-License-Identifier: MIT
//
// Checks of the arguments of reducers, which may be anything in a pickle that was made by hand.
import { types } from 'node:util';

import { isDict } from '../dicts.js';
import type { Budget } from '../hooks.js';

/** The bytes that one item of a copied container counts as. */
const BYTES_PER_ITEM = 16;

export function refuse(what: string): never {
  throw new TypeError(what);
}

/** A whole number within bounds. */
export function wholeNumber(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    refuse(`${what} is out of range`);
  return value;
}

export function text(value: unknown, what: string): string {
  return typeof value === 'string' ? value : refuse(`${what} is not a str`);
}

/** Bytes. Protocols 0 and 1 write them as a call, whose result this is. */
export function bytes(value: unknown, what: string): Buffer {
  return Buffer.isBuffer(value) ? value : refuse(`${what} is not bytes`);
}

export function array(value: unknown, what: string): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : refuse(`${what} is not a list or tuple`);
}

/** The items of an argument, for constructors such as `set()`. The caller may copy them. */
export function items(value: unknown, budget: Budget): Iterable<unknown> {
  if (value === undefined) return [];
  if (Array.isArray(value)) {
    budget.charge(value.length * BYTES_PER_ITEM);
    return value as unknown[];
  }
  if (types.isSet(value)) {
    budget.charge(value.size * BYTES_PER_ITEM);
    return value;
  }
  return refuse('the argument is not a list, tuple or set');
}

/** The entries of a dict, or of a list of pairs, for constructors such as `OrderedDict()`. */
export function pairs(value: unknown, budget: Budget): Iterable<[unknown, unknown]> {
  if (value === undefined) return [];
  if (types.isMap(value)) {
    budget.charge(value.size * BYTES_PER_ITEM);
    return value;
  }
  if (isDict(value)) {
    const entries = Object.entries(value);
    budget.charge(entries.length * BYTES_PER_ITEM);
    return entries;
  }
  const list = array(value, 'the argument');
  budget.charge(list.length * BYTES_PER_ITEM);
  return list.map((pair) => {
    const [key, entry, ...rest] = array(pair, 'an item');
    return rest.length > 0 ? refuse('an item is not a pair') : [key, entry];
  });
}
