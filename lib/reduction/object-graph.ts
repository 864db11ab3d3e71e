// SPDX-License-Identifier: MIT
//
// Values in which objects of this package are, in V8's format. Such an object makes the ordinary serialisation throw (see
// shareable.ts), and only then the value is walked: every such object is replaced by a stand-in, and what stands for it
// travels beside the value. Whatever else cannot be serialised is found on the way and named by its path.
import { types } from 'node:util';
import { DefaultDeserializer, DefaultSerializer, serialize } from 'node:v8';

import { PicklingError } from '../core/errors.js';
import { isShareable } from './shareable.js';

/** A value taken apart: what stands for its shareable objects, in the order of their numbers, and the rest. */
export interface SharedValue {
  /** Random bytes that no other part of the value begins with: how a stand-in is known. */
  readonly magic: Uint8Array;
  readonly objects: readonly unknown[];
  readonly value: Uint8Array;
}

const MAGIC_BYTES = 16;
const STAND_IN_BYTES = MAGIC_BYTES + 4;

/** A key as it is written behind the name of what it belongs to. */
function member(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Copies the containers of a value; everything else is kept as it is. */
class Walk {
  readonly #replace: (object: object, path: string) => Uint8Array;
  /** Objects met before: they may be there twice, or contain themselves. */
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
      // Not an assignment, for which __proto__ is no key like another.
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

/** Whether an object is more, or something else, than its enumerable properties. */
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

/** Throws for what has no copy, such as a Promise or a WeakMap. */
function check(value: object, path: string): void {
  try {
    serialize(value);
  } catch (error) {
    throw new PicklingError(`${path} cannot be serialised: ${messageOf(error)}`, { cause: error });
  }
}

class SharingDeserializer extends DefaultDeserializer {
  readonly #magic: Buffer;
  readonly #objects: readonly unknown[];

  constructor({ magic, value }: SharedValue, objects: readonly unknown[]) {
    super(value);
    this.#magic = Buffer.from(magic);
    this.#objects = objects;
  }

  _readHostObject(): unknown {
    const base = DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView };
    const view = base._readHostObject.call(this);
    if (!(view instanceof Uint8Array) || view.length !== STAND_IN_BYTES) return view;
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    if (!bytes.subarray(0, MAGIC_BYTES).equals(this.#magic)) return view;
    return this.#objects[bytes.readUInt32LE(MAGIC_BYTES)];
  }
}

/**
 * Takes a value apart.
 *
 * @param name What the value is called in errors.
 * @param give What is to stand for a shareable object; whatever it throws is thrown on.
 */
export function takeApart(value: unknown, name: string, give: (object: object, path: string) => unknown): SharedValue {
  // Loaded when it is needed, since it takes longer than most of this package.
  const magic = process.getBuiltinModule('node:crypto').randomBytes(MAGIC_BYTES);
  const objects: unknown[] = [];
  const whole = tryWhole(value);
  if (whole !== undefined) return { magic, objects, value: whole };
  let refused: unknown;
  const walk = new Walk((object, path) => {
    const standIn = Buffer.alloc(STAND_IN_BYTES);
    magic.copy(standIn);
    standIn.writeUInt32LE(objects.length, MAGIC_BYTES);
    try {
      objects.push(give(object, path));
    } catch (error) {
      refused = error;
      throw error;
    }
    // Not a Buffer: Node copies those together with the rest of the memory that they are a part of.
    return new Uint8Array(standIn);
  });
  try {
    const serializer = new DefaultSerializer();
    serializer.writeHeader();
    serializer.writeValue(walk.copy(value, name));
    return { magic, objects, value: serializer.releaseBuffer() };
  } catch (error) {
    if (error === refused || error instanceof PicklingError) throw error;
    const problem = error instanceof RangeError ? 'is nested too deep' : `cannot be serialised: ${messageOf(error)}`;
    throw new PicklingError(`${name} ${problem}`, { cause: error });
  }
}

/** A value without shareable objects needs no walk. Why one cannot be serialised is found out on the walk. */
function tryWhole(value: unknown): Uint8Array | undefined {
  try {
    return serialize(value);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Puts a value together again. `objects` are what was made of those that stood for shareable objects. */
export function putTogether(shared: SharedValue, objects: readonly unknown[]): unknown {
  const deserializer = new SharingDeserializer(shared, objects);
  deserializer.readHeader();
  return deserializer.readValue();
}
