// SPDX-License-Identifier: MIT
//
// How objects become bytes. Only this folder knows formats; everything below moves bytes.
import { argumentError, MultiprocessingError, PicklingError, UnpicklingError } from '../errors.js';
import { json } from './json.js';
import { structured } from './structured.js';

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

/** How a channel turns objects into messages; both ends must use the same. */
export type Serialization = 'structured' | 'json' | Serializer | PackUnpack;

/** A format with its errors made uniform. */
export interface Codec {
  encode(value: unknown): Uint8Array;
  /** @param bytes May be kept by the result. */
  decode(bytes: Buffer): unknown;
  /** @param lent Is not used any more when this returns. */
  decodeLent(lent: Buffer): unknown;
}

function hasMethods<K extends string>(value: object, names: readonly K[]): value is Record<K, (arg: never) => unknown> {
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

function findSerializer(serialization: unknown): { name: string; serializer: Serializer | LendableSerializer } {
  if (serialization === 'structured') return { name: 'structured', serializer: structured };
  if (serialization === 'json') return { name: 'json', serializer: json };
  if (typeof serialization === 'object' && serialization !== null) {
    if (hasMethods(serialization, ['serialize', 'deserialize'])) {
      return { name: 'custom', serializer: serialization as Serializer };
    }
    if (hasMethods(serialization, ['pack', 'unpack'])) {
      const { pack, unpack } = serialization as PackUnpack;
      return {
        name: 'custom',
        serializer: {
          serialize: (value) => pack.call(serialization, value),
          deserialize: (bytes) => unpack.call(serialization, bytes),
        },
      };
    }
  }
  throw argumentError(
    'type',
    "serialization must be 'structured', 'json' or an object with serialize(value) and deserialize(bytes)",
  );
}

/** Checks a `serialization` option and makes its codec. */
export function makeCodec(serialization: unknown = 'structured'): Codec {
  const { name, serializer } = findSerializer(serialization);
  return {
    encode(value) {
      let bytes: unknown;
      try {
        bytes = serializer.serialize(value);
      } catch (error) {
        // An object of this package says itself why it cannot travel.
        if (error instanceof MultiprocessingError) throw error;
        const reason = error instanceof Error ? `: ${error.message}` : '';
        throw new PicklingError(`The value cannot be serialised (${name})${reason}`, { cause: error });
      }
      if (!(bytes instanceof Uint8Array)) {
        throw new PicklingError('serialize(value) must return a Uint8Array');
      }
      return bytes;
    },
    decode: (bytes) => decoded(name, bytes, (message) => serializer.deserialize(message)),
    decodeLent:
      'deserializeLent' in serializer
        ? (lent) => decoded(name, lent, (message) => serializer.deserializeLent(message))
        : (lent) => decoded(name, Buffer.from(lent), (message) => serializer.deserialize(message)),
  };
}

function decoded(name: string, bytes: Buffer, decode: (bytes: Buffer) => unknown): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    const reason = error instanceof Error ? `: ${error.message}` : '';
    throw new UnpicklingError(`A message of ${bytes.length} bytes cannot be decoded (${name})${reason}`, {
      cause: error,
    });
  }
}
