// SPDX-License-Identifier: MIT
//
// The walk through a value that V8 does not carry as it is. It replaces what has to be replaced, and names what cannot
// be serialised by its path.
import { types } from 'node:util';
import { DefaultSerializer, serialize } from 'node:v8';

import { PicklingError } from '../core/errors.js';
import { isError } from '../core/realms.js';
import { ErrorTexts } from './error-texts.js';
import { causeOf, isLeaf, writesCauseFirst } from './ordinary.js';
import { isOfPlatform } from './platform-classes.js';
import { isShareable } from './shareable.js';

/** A key as it is written in a path, behind its object: `.key`, `[0]` or `["other key"]`. */
function member(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** A step of a path: a key, or the text of the step. */
type Step = string | number | (() => string);

/** Whether a value needs a place of its own in the walk. */
function isPart(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function' || typeof value === 'symbol';
}

/** Whether a plain object or an array has parts. */
function hasParts(value: object): boolean {
  if (Array.isArray(value) && value.length > 0 && isPart(value[0])) return true;
  for (const key in value) if (isPart((value as Record<string, unknown>)[key])) return true;
  return false;
}

/** Copies the containers of a value, and keeps everything else as it is. */
class Walk {
  readonly #replace: (object: object, path: () => string) => unknown;
  readonly #texts: ErrorTexts;
  /** Objects met before: a value may hold an object twice, and an object may contain itself. */
  readonly #copies = new Map<object, unknown>();
  /** The way to the current part. It becomes a text only when an error needs one. */
  readonly #steps: Step[] = [];
  readonly #path: () => string;

  constructor(name: string, texts: ErrorTexts, replace: (object: object, path: () => string) => unknown) {
    this.#replace = replace;
    this.#texts = texts;
    this.#path = () =>
      name + this.#steps.map((step) => (typeof step === 'function' ? step() : member(String(step)))).join('');
  }

  copy(value: unknown): unknown {
    if (typeof value === 'function' || typeof value === 'symbol') {
      const cause = problemOf(value);
      throw new PicklingError(`${this.#path()} is a ${typeof value}, which cannot be serialised`, { cause });
    }
    if (typeof value !== 'object' || value === null) return value;
    if (types.isProxy(value)) return this.#whole(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    const isPlain = prototype === Object.prototype || prototype === null;
    // Without parts it is kept as it is. Most objects are of this kind, and to remember them takes longest.
    if ((isPlain || Array.isArray(value)) && !hasParts(value)) return value;
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (Array.isArray(value)) return this.#array(value);
    if (!isPlain) return this.#other(value);
    const copy: Record<string, unknown> = { ...value };
    // A spread copy of an object of this package is marked too.
    if (copy['shareable'] !== undefined && isShareable(value)) return this.#shareable(value);
    return this.#fields(this.#keep(value, copy));
  }

  #other(value: object): unknown {
    if (isShareable(value)) return this.#shareable(value);
    if (types.isMap(value)) return this.#map(value);
    if (types.isSet(value)) return this.#set(value);
    if (isBytes(value)) return this.#keep(value, value);
    if (types.isNativeError(value) || value instanceof DOMException) return this.#error(value);
    if (isLeaf(value) || isOpaque(value)) return this.#whole(value);
    if (isOfPlatform(value)) {
      throw new PicklingError(`${this.#path()} is an object of ${nameOf(value)}, which cannot be serialised`);
    }
    // A class instance without fields may have a state that only V8 sees, as a WeakMap has.
    if (Object.keys(value).length === 0) return this.#whole(value);
    return this.#fields(this.#keep(value, { ...value }));
  }

  #shareable(object: object): unknown {
    return this.#keep(object, this.#replace(object, this.#path));
  }

  #keep<T>(original: object, copy: T): T {
    this.#copies.set(original, copy);
    return copy;
  }

  #step(value: unknown, step: Step): unknown {
    this.#steps.push(step);
    const copy = this.copy(value);
    this.#steps.pop();
    return copy;
  }

  /** @param copy A copy with the same fields, in which those that are parts are replaced. */
  #fields(copy: Record<string, unknown>): object {
    for (const key of Object.keys(copy)) {
      const field = copy[key];
      if (isPart(field)) copy[key] = this.#step(field, key);
    }
    return copy;
  }

  #array(original: readonly unknown[]): unknown[] {
    const copy = this.#keep(original, new Array<unknown>(original.length));
    const keys = Object.keys(original);
    if (keys.length === original.length && keys.at(-1) === String(original.length - 1)) {
      for (let i = 0; i < original.length; i++) {
        const item = original[i];
        copy[i] = isPart(item) ? this.#step(item, i) : item;
      }
      return copy;
    }
    // It has holes, or properties that are no items.
    for (const key of keys) {
      const value = this.#step((original as unknown as Record<string, unknown>)[key], key);
      Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return copy;
  }

  #map(original: ReadonlyMap<unknown, unknown>): Map<unknown, unknown> {
    const copy = this.#keep(original, new Map<unknown, unknown>());
    let index = 0;
    for (const [key, value] of original) {
      const at = index++;
      const name = (): string => (typeof key === 'string' ? JSON.stringify(key) : `key ${at}`);
      copy.set(
        this.#step(key, () => `.keys()[${at}]`),
        this.#step(value, () => `.get(${name()})`),
      );
    }
    return copy;
  }

  #set(original: ReadonlySet<unknown>): Set<unknown> {
    const copy = this.#keep(original, new Set<unknown>());
    let index = 0;
    for (const value of original) {
      const at = index++;
      copy.add(this.#step(value, () => `.values()[${at}]`));
    }
    return copy;
  }

  #error(original: object): object {
    const cause = causeOf(original);
    if (!(original instanceof DOMException)) {
      if (cause === undefined || !(isPart(cause.value) || writesCauseFirst())) return this.#whole(original) as object;
    }
    const copy = this.#keep(original, this.#texts.standIn(original));
    if (cause !== undefined) Object.defineProperty(copy, 'cause', { value: this.#step(cause.value, 'cause') });
    return copy;
  }

  /** An object that V8 must be able to serialise as a whole. */
  #whole(object: object): unknown {
    const cause = problemOf(object);
    if (cause !== undefined) {
      throw new PicklingError(`${this.#path()} cannot be serialised: ${reason(cause)}`, { cause });
    }
    return this.#keep(object, object);
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

/** Whether an object is one of those that V8 always refuses although they may have fields. */
function isOpaque(value: object): boolean {
  return types.isPromise(value) || types.isExternal(value) || types.isGeneratorObject(value);
}

/** Why V8 refuses a value; undefined if it does not. */
function problemOf(value: unknown): unknown {
  try {
    serialize(value);
    return undefined;
  } catch (error) {
    return error;
  }
}

function nameOf(object: object): string {
  const { constructor } = object as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an unnamed class';
}

function reason(error: unknown): string {
  return isError(error) ? error.message : String(error);
}

/** Random bytes that no other part of a value begins with. */
export function makeMagic(bytes: number): Buffer {
  // Loaded on first use: it takes longer to load than most of this package.
  return process.getBuiltinModule('node:crypto').randomBytes(bytes);
}

/**
 * Serialises a value of any kind. Throws `PicklingError` with the path to a part that cannot be serialised.
 *
 * @param name The name of the value in error messages.
 * @param magic Random bytes that no other part of the value begins with.
 * @param replace Returns what takes the place of an object of this package. Its errors are passed on.
 */
export function serializeWalked(
  value: unknown,
  name: string,
  magic: Buffer,
  replace: (object: object, path: () => string) => unknown,
): Buffer {
  let refused: unknown;
  const texts = new ErrorTexts(magic.toString('hex'));
  const walk = new Walk(name, texts, (object, path) => {
    try {
      return replace(object, path);
    } catch (error) {
      refused = error;
      throw error;
    }
  });
  try {
    const serializer = new DefaultSerializer();
    serializer.writeHeader();
    serializer.writeValue(walk.copy(value));
    return texts.insert(serializer.releaseBuffer());
  } catch (error) {
    if (error === refused || error instanceof PicklingError) throw error;
    const tooDeep = isError(error) && error.name === 'RangeError';
    const problem = tooDeep ? 'is nested too deeply' : `cannot be serialised: ${reason(error)}`;
    throw new PicklingError(`${name} ${problem}`, { cause: error });
  }
}
