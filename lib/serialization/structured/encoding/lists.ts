// SPDX-License-Identifier: MIT
//
// What an array has beside its items. No property of an array tells that at once: `Object.keys` makes a string of each
// index, which takes longer than to encode the items if these are numbers.
import { inspect } from 'node:util';

/** From this length on it takes less time to look at what Node would print, which is not more for a longer array. */
const LONG = 96;

/** How many places of a long array are looked at for holes. */
const SAMPLES = 16;

/** A longer array is one whose items V8 does not read without their indices. */
const MOST_DENSE = 0x7000000;

const nothingOfItems = { maxArrayLength: 0, depth: 0, customInspect: false, getters: false, breakLength: Infinity };

/** Whether a long array has enumerable properties that are no items. */
function hasOtherProperties(array: readonly unknown[]): boolean {
  // "[ ... 1000 more items ]", or "[ ... 1000 more items, key: value ]".
  return inspect(array, nothingOfItems).includes(':');
}

function hasManyHoles(array: readonly unknown[]): boolean {
  let holes = 0;
  for (let i = 0; i < SAMPLES; i++) {
    if (!Object.hasOwn(array, Math.floor((i * (array.length - 1)) / (SAMPLES - 1)))) holes++;
  }
  return holes > SAMPLES / 2;
}

/**
 * The keys of an array that is more or less than a row of items, those of the items first; undefined for any other
 * array. A long array may have some holes without being listed.
 */
export function keysOfUnusual(array: readonly unknown[]): string[] | undefined {
  const { length } = array;
  if (length >= LONG) {
    const isUsual = length <= MOST_DENSE && !hasManyHoles(array) && !hasOtherProperties(array);
    return isUsual ? undefined : Object.keys(array);
  }
  const keys = Object.keys(array);
  const isUsual = keys.length === length && (length === 0 || keys[length - 1] === String(length - 1));
  return isUsual ? undefined : keys;
}
