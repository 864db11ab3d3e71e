// SPDX-License-Identifier: MIT
//
// The bytes of keys that were written before. Objects of one kind have the same keys in the same order, so behind each
// key the next one is expected, and writing it takes one comparison and a copy of a few bytes.
import { Output } from './output.js';

/** Objects with more keys than that are dictionaries, whose keys do not come again. */
const MOST_KEYS_OF_OBJECT = 64;

/** A place that so many keys have followed is one in dictionaries. */
const MOST_FOLLOWERS = 64;

/** Longer keys are not kept. */
const MOST_CHARACTERS = 64;

/** How many keys are kept in all. When there are more, all are forgotten. */
const MOST_KEYS = 4096;

/** A key behind certain other keys; or the beginning of all objects. */
export class KnownKey {
  /** With its tag and length. */
  readonly bytes: Uint8Array;
  readonly depth: number;
  /** What followed last time. */
  expected: string | undefined;
  follower: KnownKey | undefined;
  #followers: Map<string, KnownKey> | undefined;

  constructor(bytes: Uint8Array, depth: number) {
    this.bytes = bytes;
    this.depth = depth;
  }

  /** The key as a follower of this one; undefined if it is not kept. */
  find(key: string): KnownKey | undefined {
    const found = this.#followers?.get(key) ?? this.#add(key);
    if (found === undefined) return undefined;
    this.expected = key;
    this.follower = found;
    return found;
  }

  #add(key: string): KnownKey | undefined {
    const followers = (this.#followers ??= new Map());
    if (this.depth >= MOST_KEYS_OF_OBJECT || followers.size >= MOST_FOLLOWERS || key.length > MOST_CHARACTERS) {
      return undefined;
    }
    const bytes = bytesOfKey(key);
    if (bytes === undefined) return undefined;
    if (++count > MOST_KEYS) forgetKeys();
    const known = new KnownKey(bytes, this.depth + 1);
    followers.set(key, known);
    return known;
  }
}

const nothing = new Uint8Array(0);

let count = 0;
let start = new KnownKey(nothing, 0);

function forgetKeys(): void {
  count = 0;
  start = new KnownKey(nothing, 0);
}

/** The place in front of the first key of an object. */
export function firstKey(): KnownKey {
  return start;
}

/** The number that V8 writes for a key such as "7"; undefined for any other key. */
export function indexOfKey(key: string): number | undefined {
  const first = key.charCodeAt(0);
  // No key begins with NaN, which the code of an empty key is.
  if (!(first >= 0x30 && first <= 0x39)) return undefined;
  const index = Number(key) >>> 0;
  return index !== 0xffffffff && String(index) === key ? index : undefined;
}

/** The bytes of a key; undefined for one whose bytes depend on its place. */
function bytesOfKey(key: string): Uint8Array | undefined {
  if (/[^\0-\xff]/.test(key)) return undefined;
  const output = Output.own();
  const index = indexOfKey(key);
  if (index === undefined) output.string(key);
  else output.number(index);
  return new Uint8Array(output.take());
}
