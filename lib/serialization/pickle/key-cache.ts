// SPDX-License-Identifier: MIT

/** How many keys are remembered by their place, at each of the levels of nesting; further levels share these. */
const KEYS_PER_LEVEL = 32;
const LEVELS = 8;
const SLOTS = KEYS_PER_LEVEL * LEVELS;

/** Most keys that are remembered at all. */
const MAX_KEYS = 4096;

/**
 * The keys of dicts that were written into a pickle, with their memo numbers.
 *
 * Objects of one shape have their keys in one order. So a key is looked up by its level and its place in its object first,
 * where comparing two pointers mostly finds it.
 */
export class KeyCache {
  readonly #keys = new Array<string>(SLOTS).fill('');
  readonly #indexes = new Int32Array(SLOTS);
  /** In which pickle each of them was written. */
  readonly #pickles = new Float64Array(SLOTS);
  #pickle = 0;
  /** Whether an object was written completely. */
  #several = false;
  /** All keys since then. */
  #all: Map<string, number> | undefined;

  /** Begins a pickle: keys of the one before do not count. */
  begin(): void {
    this.#pickle++;
  }

  /** Ends a pickle: what may be large is let go. */
  end(): void {
    this.#several = false;
    this.#all = undefined;
  }

  /** The memo number of a key that was written before, or -1. */
  find(key: string, depth: number, place: number): number {
    const slot = slotOf(depth, place);
    if (this.#keys[slot] === key && this.#pickles[slot] === this.#pickle) return this.#indexes[slot] as number;
    const index = this.#all?.get(key);
    if (index === undefined) return -1;
    this.#setSlot(slot, key, index);
    return index;
  }

  /** Whether no further keys are remembered. */
  get full(): boolean {
    return this.#all !== undefined && this.#all.size >= MAX_KEYS;
  }

  /** Remembers a key that was written. */
  remember(key: string, depth: number, place: number, index: number): void {
    // Most values are one object only, which does not need the Map.
    if (this.#several) (this.#all ??= new Map()).set(key, index);
    this.#setSlot(slotOf(depth, place), key, index);
  }

  /** To be called when the last key of an object, and what belongs to it, was written. */
  endObject(): void {
    this.#several = true;
  }

  #setSlot(slot: number, key: string, index: number): void {
    this.#keys[slot] = key;
    this.#indexes[slot] = index;
    this.#pickles[slot] = this.#pickle;
  }
}

function slotOf(depth: number, place: number): number {
  return (depth % LEVELS) * KEYS_PER_LEVEL + (place % KEYS_PER_LEVEL);
}
