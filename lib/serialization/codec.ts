// SPDX-License-Identifier: MIT
//
// How objects become bytes. Only this folder knows formats; everything below moves bytes.
import { argumentError, MultiprocessingError, PicklingError, UnpicklingError } from '../core/errors.js';
import { loadedPart, part } from '../reduction/registry.js';
import { json } from './json.js';
import { structured } from './structured.js';
import type { Take } from './message-decoder.js';

/** A user's own format, such as a `Packr` of msgpackr. */
export interface Serializer {
  /** The bytes that stand for a value. What it throws becomes the `cause` of a `PicklingError`. */
  serialize(value: unknown): Uint8Array;
  /** The value that bytes stand for. They may be kept. What it throws becomes the `cause` of an `UnpicklingError`. */
  deserialize(bytes: Uint8Array): unknown;
}

/** The formats of this package also decode from memory that is only lent, which saves a copy. */
export interface LendableSerializer extends Serializer {
  deserializeLent(bytes: Buffer): unknown;
}

/** Packages such as msgpackr name the two methods differently. */
export interface PackUnpack {
  /** As `serialize`. */
  pack(value: unknown): Uint8Array;
  /** As `deserialize`. */
  unpack(bytes: Uint8Array): unknown;
}

/**
 * The formats that have a name: V8's structured clone, JSON, and Python's pickle.
 */
export type BuiltInSerialization = 'structured' | 'json' | 'pickle';

/** How a channel turns objects into messages; both ends must use the same. */
export type Serialization = BuiltInSerialization | Serializer | PackUnpack;

/** A format with its errors made uniform; also how a received message becomes an object. */
export interface Codec extends Take<unknown> {
  encode(value: unknown): Uint8Array;
}

function hasMethods<K extends string>(value: object, names: readonly K[]): value is Record<K, (arg: never) => unknown> {
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

function findSerializer(serialization: unknown): Serializer {
  if (typeof serialization === 'object' && serialization !== null) {
    if (hasMethods(serialization, ['serialize', 'deserialize'])) {
      return serialization as Serializer;
    }
    if (hasMethods(serialization, ['pack', 'unpack'])) {
      const { pack, unpack } = serialization as PackUnpack;
      return {
        serialize: (value) => pack.call(serialization, value),
        deserialize: (bytes) => unpack.call(serialization, bytes),
      };
    }
  }
  throw argumentError(
    'type',
    "serialization must be 'structured', 'json', 'pickle' or an object with serialize(value) and deserialize(bytes)",
  );
}

let pickle: Codec | undefined;

export const builtIn: Readonly<Record<BuiltInSerialization, Codec>> = {
  structured: makeCodec('structured', structured),
  json: makeCodec('json', json),
  get pickle() {
    return (pickle ??= makeCodec('pickle', part('pickle').serializer));
  },
};

/** Checks a `serialization` option and finds or makes its codec. */
export function codecFor(serialization: unknown): Codec {
  if (serialization === 'structured' || serialization === 'json' || serialization === 'pickle') {
    return builtIn[serialization];
  }
  return makeCodec(kindOf(serialization), findSerializer(serialization));
}

/** What format a `serialization` option chooses. */
export function kindOf(serialization: unknown): BuiltInSerialization | 'custom' {
  if (loadedPart('pickle')?.includes(serialization) === true) return 'pickle';
  return typeof serialization === 'string' ? (serialization as BuiltInSerialization) : 'custom';
}

function makeCodec(name: string, serializer: Serializer | LendableSerializer): Codec {
  return {
    encode(value) {
      let bytes: unknown;
      try {
        bytes = serializer.serialize(value);
      } catch (error) {
        // An object of this package says itself why it cannot travel.
        if (error instanceof MultiprocessingError) throw error;
        throw new PicklingError(`The value cannot be serialised (${name})${reason(error)}`, { cause: error });
      }
      if (bytes instanceof Uint8Array) return bytes;
      throw new PicklingError('serialize(value) must return a Uint8Array');
    },
    small(lent, length) {
      const bytes = lent.subarray(0, length);
      if ('deserializeLent' in serializer) return decode(name, bytes, () => serializer.deserializeLent(bytes));
      const copy = Buffer.from(bytes);
      return decode(name, copy, () => serializer.deserialize(copy));
    },
    large: (message) => decode(name, message, () => serializer.deserialize(message)),
  };
}

function decode(name: string, bytes: Buffer, deserialize: () => unknown): unknown {
  try {
    return deserialize();
  } catch (error) {
    if (error instanceof UnpicklingError) throw error;
    const text = `A message of ${bytes.length} bytes cannot be decoded (${name})${reason(error)}`;
    throw new UnpicklingError(text, { cause: error });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? `: ${error.message}` : '';
}
