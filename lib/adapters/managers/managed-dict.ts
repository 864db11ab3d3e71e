// SPDX-License-Identifier: MIT
import { forNode, keep, keyOf } from './values.js';
import { markAsOwn } from '../../reduction/shareable.js';

/**
 * A dict in the memory of this process, for the clients of a `ManagerServer` and for the process itself. Keys are equal when
 * they are so in Python. What is set and got is a copy. CPython: the `dict` of a manager.
 */
export class ManagedDict<K = unknown, V = unknown> {
  readonly #entries = new Map<unknown, [unknown, unknown]>();

  /** @param entries The first entries, in order. */
  constructor(entries: Iterable<readonly [K, V]> = []) {
    markAsOwn(this);
    for (const [key, value] of entries) this.set(key, value);
  }

  /** The number of entries. CPython: `len`. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is such a key. CPython: `in`. */
  has(key: K): boolean {
    return this.#entries.has(keyOf(keepKey(key)));
  }

  /** The value of a key; undefined if there is none. CPython: `get`. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(keyOf(keepKey(key)));
    return entry === undefined ? undefined : (forNode(entry[1]) as V);
  }

  /** Sets the value of a key. Throws a `PicklingError` if Python could not get them. */
  set(key: K, value: V): this {
    this.place(keepKey(key), keep(value));
    return this;
  }

  /** Removes a key. False if there was none. */
  delete(key: K): boolean {
    return this.#entries.delete(keyOf(keepKey(key)));
  }

  /** Removes all entries. */
  clear(): void {
    this.#entries.clear();
  }

  /** A copy of the entries, in the order in which the keys were first set. */
  entries(): IterableIterator<[K, V]> {
    return this.kept()
      .map(([key, value]): [K, V] => [forNode(key) as K, forNode(value) as V])
      .values();
  }

  /** `entries()` */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** @internal The entries as they are kept. */
  kept(): [unknown, unknown][] {
    return [...this.#entries.values()];
  }

  /** @internal The entry of a key that Python sent. */
  find(key: unknown): [unknown, unknown] | undefined {
    return this.#entries.get(keyOf(key));
  }

  /** @internal Sets a value that Python sent. The first key stays, as in Python. */
  place(key: unknown, value: unknown): void {
    const id = keyOf(key);
    const entry = this.#entries.get(id);
    if (entry === undefined) this.#entries.set(id, [key, value]);
    else entry[1] = value;
  }

  /** @internal Removes the entry of a key that Python sent. */
  remove(key: unknown): [unknown, unknown] | undefined {
    const id = keyOf(key);
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    return entry;
  }
}

/** Keeps a key. An Array is a tuple there, as a key of a dict in a pickle is. */
function keepKey(key: unknown): unknown {
  if (typeof key !== 'object' || key === null) return keep(key);
  return (keep(new Map([[key, null]])) as Map<unknown, unknown>).keys().next().value;
}
