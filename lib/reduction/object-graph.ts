// SPDX-License-Identifier: MIT
//
// Values that contain objects of this package, in V8's format. Such an object makes the ordinary serialisation throw
// (see shareable.ts). Only then is the value walked: a stand-in replaces each such object, and the object's reduced
// form travels beside the value. The walk also finds everything else that cannot be serialised, and names it by its
// path.
import { types } from 'node:util';
import { DefaultDeserializer, DefaultSerializer, serialize } from 'node:v8';

import { argumentError, PicklingError } from '../core/errors.js';
import { isShareable } from './shareable.js';

/** A value as bytes, and beside it the objects of this package that it contains. */
export interface ObjectGraph {
  /** Random bytes that no other part of the value begins with: they tell a stand-in from a value. */
  readonly magic: Uint8Array;
  /** The reduced forms, and for each stand-in, in the order of their numbers, the index of its object among them. */
  readonly objects: readonly [readonly unknown[], readonly number[]];
  readonly value: Uint8Array;
}

const MAGIC_BYTES = 16;
const STAND_IN_BYTES = MAGIC_BYTES + 4;

/** A key as it is written in a path, behind its object: `.key`, `[0]` or `["other key"]`. */
function member(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Copies the containers of a value, and keeps everything else as it is. */
class Walk {
  readonly #replace: (object: object, path: string) => Uint8Array;
  /** Objects met before: a value may hold an object twice, and an object may contain itself. */
  readonly #copies = new Map<object, unknown>();

  constructor(replace: (object: object, path: string) => Uint8Array) {
    this.#replace = replace;
  }

  copy(value: unknown, path: string): unknown {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new PicklingError(`${path} is a ${typeof value}, which cannot be serialised`);
    }
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (isShareable(value)) return this.#keep(value, this.#replace(value, path));
    if (Array.isArray(value)) return this.#fields(value, new Array<unknown>(value.length), path);
    if (value instanceof Map) return this.#map(value, path);
    if (value instanceof Set) return this.#set(value, path);
    if (isBytes(value)) return this.#keep(value, value);
    if (isWhole(value) || isEmptyInstance(value)) {
      check(value, path);
      return this.#keep(value, value);
    }
    return this.#fields(value, {}, path);
  }

  #keep<T>(original: object, copy: T): T {
    this.#copies.set(original, copy);
    return copy;
  }

  #fields<T extends object>(original: object, copy: T, path: string): T {
    this.#keep(original, copy);
    for (const key of Object.keys(original)) {
      const field = this.copy((original as Record<string, unknown>)[key], path + member(key));
      // An assignment would treat the key __proto__ differently from others.
      Object.defineProperty(copy, key, { value: field, enumerable: true, configurable: true, writable: true });
    }
    return copy;
  }

  #map(original: ReadonlyMap<unknown, unknown>, path: string): Map<unknown, unknown> {
    const copy = this.#keep(original, new Map<unknown, unknown>());
    let index = 0;
    for (const [key, value] of original) {
      const name = typeof key === 'string' ? JSON.stringify(key) : `key ${index}`;
      copy.set(this.copy(key, `${path}.keys()[${index}]`), this.copy(value, `${path}.get(${name})`));
      index++;
    }
    return copy;
  }

  #set(original: ReadonlySet<unknown>, path: string): Set<unknown> {
    const copy = this.#keep(original, new Set<unknown>());
    let index = 0;
    for (const value of original) copy.add(this.copy(value, `${path}.values()[${index++}]`));
    return copy;
  }
}

/**
 * Whether an object can certainly be serialised. Such an object is not checked, since the check would copy its bytes
 * once more.
 */
function isBytes(value: object): boolean {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  // An empty one may be detached.
  return types.isArrayBuffer(buffer) && buffer.byteLength > 0;
}

/** Whether an object has a state besides its enumerable properties, or is a Proxy. */
function isWhole(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isNativeError(value) ||
    types.isBoxedPrimitive(value) ||
    types.isPromise(value) ||
    types.isProxy(value) ||
    types.isExternal(value) ||
    types.isGeneratorObject(value)
  );
}

/** A class instance without fields may have a state that only V8 sees, as a WeakMap has. */
function isEmptyInstance(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && Object.keys(value).length === 0;
}

/** Throws if an object cannot be serialised, such as a Promise or a WeakMap. */
function check(value: object, path: string): void {
  try {
    serialize(value);
  } catch (error) {
    throw new PicklingError(`${path} cannot be serialised: ${messageOf(error)}`, { cause: error });
  }
}

/** Reads values that contain stand-ins. */
class GraphDeserializer extends DefaultDeserializer {
  readonly #magic: Buffer;
  readonly #find: (number: number) => unknown;

  constructor({ magic, value }: ObjectGraph, find: (number: number) => unknown) {
    super(value);
    this.#magic = Buffer.from(magic);
    this.#find = find;
  }

  _readHostObject(): unknown {
    const base = DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView };
    const view = base._readHostObject.call(this);
    if (!(view instanceof Uint8Array) || view.length !== STAND_IN_BYTES) return view;
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    if (!bytes.subarray(0, MAGIC_BYTES).equals(this.#magic)) return view;
    return this.#find(bytes.readUInt32LE(MAGIC_BYTES));
  }
}

/**
 * Serialises a value.
 *
 * @param name The name of the value in error messages.
 * @param add Adds a shareable object to the reduced forms, and returns its index among them. Its errors are passed on.
 */
export function serializeGraph(
  value: unknown,
  name: string,
  add: (object: object, path: string) => number,
): Omit<ObjectGraph, 'objects'> & { readonly numbers: readonly number[] } {
  // Loaded on first use: it takes longer to load than most of this package.
  const magic = process.getBuiltinModule('node:crypto').randomBytes(MAGIC_BYTES);
  const numbers: number[] = [];
  let refused: unknown;
  const walk = new Walk((object, path) => {
    const standIn = Buffer.alloc(STAND_IN_BYTES);
    magic.copy(standIn);
    standIn.writeUInt32LE(numbers.length, MAGIC_BYTES);
    try {
      numbers.push(add(object, path));
    } catch (error) {
      refused = error;
      throw error;
    }
    // Not a Buffer: Node copies a Buffer together with the rest of the memory that the Buffer is a part of.
    return new Uint8Array(standIn);
  });
  try {
    const serializer = new DefaultSerializer();
    serializer.writeHeader();
    serializer.writeValue(walk.copy(value, name));
    return { magic, numbers, value: serializer.releaseBuffer() };
  } catch (error) {
    if (error === refused || error instanceof PicklingError) throw error;
    const problem = error instanceof RangeError ? 'is nested too deeply' : `cannot be serialised: ${messageOf(error)}`;
    throw new PicklingError(`${name} ${problem}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Restores a value. `find` returns the object of a stand-in by the number of the stand-in. */
export function deserializeGraph(graph: ObjectGraph, find: (number: number) => unknown): unknown {
  const deserializer = new GraphDeserializer(graph, find);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** Checks the form of a graph that was received. The reduced forms are checked when the objects are rebuilt. */
export function checkGraph(value: unknown): ObjectGraph {
  const { magic, objects, value: bytes } = (value ?? {}) as Partial<ObjectGraph>;
  const lists = Array.isArray(objects) && objects.length === 2 && objects.every(Array.isArray);
  if (magic instanceof Uint8Array && bytes instanceof Uint8Array && lists) return { magic, objects, value: bytes };
  throw argumentError('type', 'the message was not made by this package');
}
