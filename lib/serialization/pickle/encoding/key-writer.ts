// SPDX-License-Identifier: MIT
import { PickleWriter } from './writer.js';

/** How many keys are remembered by their place, at each of the levels of nesting; further levels share these. */
const KEYS_PER_LEVEL = 32;
const LEVELS = 8;
const SLOTS = KEYS_PER_LEVEL * LEVELS;

/** Most keys that are remembered at all. */
const MAX_KEYS = 4096;

/**
 * Writes the keys of dicts. A key that was written before becomes a reference.
 *
 * Objects of one shape have their keys in one order. So a key is looked up by its level and its place in its object
 * first, where comparing two pointers mostly finds it.
 */
export class KeyWriter extends PickleWriter {
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
  protected override begin(): void {
    super.begin();
    this.#pickle++;
  }

  /** Lets go of what may be large. */
  protected forgetKeys(): void {
    this.#several = false;
    this.#all = undefined;
  }

  /** Writes the key at this place of an object that is nested so deep. */
  protected key(key: string, depth: number, place: number): void {
    const slot = (depth % LEVELS) * KEYS_PER_LEVEL + (place % KEYS_PER_LEVEL);
    if (this.#keys[slot] === key && this.#pickles[slot] === this.#pickle) {
      this.get(this.#indexes[slot] as number);
      return;
    }
    let index = this.#all?.get(key);
    if (index === undefined) {
      this.text(key);
      if (this.#all !== undefined && this.#all.size >= MAX_KEYS) return;
      index = this.memoize();
      // Most values are one object only, which does not need the Map.
      if (this.#several) (this.#all ??= new Map()).set(key, index);
    } else {
      this.get(index);
    }
    this.#keys[slot] = key;
    this.#indexes[slot] = index;
    this.#pickles[slot] = this.#pickle;
  }

  /** To be called when an object with keys was written completely. */
  protected endObject(): void {
    this.#several = true;
  }
}
