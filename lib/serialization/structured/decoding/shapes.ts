// SPDX-License-Identifier: MIT
//
// The keys that objects had in messages before. A key is recognised by its bytes, without a string being made of it,
// and an object with known keys is made at once, from all of its values.

/** Objects with more keys than that are dictionaries, whose keys do not come again. */
const MOST_KEYS_OF_OBJECT = 64;

/** A place that so many keys have followed is one in dictionaries. */
const MOST_FOLLOWERS = 64;

/** Longer keys are not kept. */
export const MOST_BYTES_OF_KEY = 64;

/** How many keys are kept in all. When there are more, all are forgotten. */
const MOST_KEYS = 4096;

/** From the so-many-th object on a function makes the objects of a shape. */
const USES_BEFORE_COMPILING = 8;

/** How many such functions are made in all: messages with ever new keys must not keep the compiler busy. */
const MOST_FUNCTIONS = 512;

type Make = (values: readonly unknown[], from: number) => object;

let count = 0;
let functions = 0;

/** The keys of an object so far, which are known. */
export class Shape {
  /** The last of the keys, with its tag and length. */
  readonly bytes: Uint8Array;
  /** What followed last time. */
  expected: Shape | undefined;
  readonly #key: string;
  readonly #before: Shape | undefined;
  readonly #size: number;
  #followers: Map<string, Shape> | undefined;
  #uses = 0;
  #make: Make | undefined;

  constructor(key: string, bytes: Uint8Array, before?: Shape) {
    this.#key = key;
    this.bytes = bytes;
    this.#before = before;
    this.#size = before === undefined ? 0 : before.#size + 1;
  }

  /**
   * The shape with one key more; undefined if it is not kept.
   *
   * @param memory It has the key, with its tag and length, at this place.
   */
  find(key: string, memory: Buffer, at: number): Shape | undefined {
    const found = this.#followers?.get(key) ?? this.#add(memory, at, key.length + 2);
    if (found !== undefined) this.expected = found;
    return found;
  }

  /** Makes an object of this shape from its values. */
  make(values: readonly unknown[], from: number): object {
    if (this.#make !== undefined) return this.#make(values, from);
    if (++this.#uses === USES_BEFORE_COMPILING) this.#make = compile(this.keys());
    const object: Record<string, unknown> = {};
    for (const [i, key] of this.keys().entries()) setField(object, key, values[from + i]);
    return object;
  }

  /** The keys, the first one first. */
  keys(): string[] {
    if (this.#before === undefined) return [];
    const keys = this.#before.keys();
    keys.push(this.#key);
    return keys;
  }

  #add(memory: Buffer, at: number, size: number): Shape | undefined {
    const followers = (this.#followers ??= new Map());
    if (this.#size >= MOST_KEYS_OF_OBJECT || followers.size >= MOST_FOLLOWERS) return undefined;
    const key = memory.toString('latin1', at + 2, at + size);
    // V8 refuses a key that comes twice.
    if (this.keys().includes(key)) return undefined;
    if (++count > MOST_KEYS) forgetShapes();
    const shape = new Shape(key, new Uint8Array(memory.subarray(at, at + size)), this);
    followers.set(key, shape);
    return shape;
  }
}

const nothing = new Uint8Array(0);

let empty = new Shape('', nothing);

function forgetShapes(): void {
  count = 0;
  empty = new Shape('', nothing);
}

/** The shape of an object without keys. */
export function emptyShape(): Shape {
  return empty;
}

/** Sets an own property, as a literal does. */
export function setField(object: object, key: PropertyKey, value: unknown): void {
  if (key !== '__proto__') (object as Record<PropertyKey, unknown>)[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** A function that makes objects with these keys; undefined where making code is forbidden. */
function compile(keys: readonly string[]): Make | undefined {
  if (functions >= MOST_FUNCTIONS || keys.length === 0 || keys.includes('__proto__')) return undefined;
  functions++;
  const fields = keys.map((key, i) => `${JSON.stringify(key)}:values[from+${i}]`);
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- Of keys as string literals, nothing else.
    return new Function('values', 'from', `return {${fields.join()}}`) as Make;
  } catch {
    // --disallow-code-generation-from-strings
    functions = MOST_FUNCTIONS;
    return undefined;
  }
}
