// SPDX-License-Identifier: MIT
//
// How objects become bytes. Only this folder knows formats; everything below moves bytes.
import { argumentError, MultiprocessingError, NotSupported, PicklingError, UnpicklingError } from '../core/errors.js';
import type { BorrowingSerializer, BuiltInSerialization, PackUnpack, Serializer } from './formats.js';
import { json } from './json.js';
import type { MessageDecoder } from './message-decoder.js';
import { structured } from './structured.js';

/** A format whose errors are those of this package. As a decoder it makes objects of messages. */
export interface Codec extends MessageDecoder<unknown> {
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

/** A format that is not a part of this folder, or is loaded when it is first used. */
export interface RegisteredFormat {
  /** The serializer of channels that name the format. */
  serializer(): Serializer;
  /** Whether an object that a user passed as `serialization` is of this format. */
  includes(serializer: unknown): boolean;
}

const registered = new Map<string, RegisteredFormat>();

/** Makes a format known by its name, in the place of what was registered under this name before. */
export function registerFormat(name: 'pickle', format: RegisteredFormat): void {
  registered.set(name, format);
}

function registeredFormat(name: 'pickle'): RegisteredFormat {
  const format = registered.get(name);
  if (format === undefined) throw new NotSupported(`The format '${name}' is not registered`);
  return format;
}

let pickle: Codec | undefined;

export const builtIn: Readonly<Record<BuiltInSerialization, Codec>> = {
  structured: makeCodec('structured', structured),
  json: makeCodec('json', json),
  get pickle() {
    return (pickle ??= makeCodec('pickle', registeredFormat('pickle').serializer()));
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
  if (registered.get('pickle')?.includes(serialization) === true) return 'pickle';
  return typeof serialization === 'string' ? (serialization as BuiltInSerialization) : 'custom';
}

function makeCodec(name: string, serializer: Serializer | BorrowingSerializer): Codec {
  const borrowing = 'deserializeBorrowed' in serializer ? serializer : undefined;
  const decodeOwned = (message: Buffer): unknown => {
    try {
      return serializer.deserialize(message);
    } catch (error) {
      throw undecodable(name, message, error);
    }
  };
  return {
    encode(value) {
      let bytes: unknown;
      try {
        bytes = serializer.serialize(value);
      } catch (error) {
        // An object of this package says in its own error why it cannot travel.
        if (error instanceof MultiprocessingError) throw error;
        throw new PicklingError(`The value cannot be serialised (${name})${reason(error)}`, { cause: error });
      }
      if (bytes instanceof Uint8Array) return bytes;
      throw new PicklingError('serialize(value) must return a Uint8Array');
    },
    fromBorrowed(memory, length) {
      const bytes = memory.subarray(0, length);
      if (borrowing === undefined) return decodeOwned(Buffer.from(bytes));
      try {
        return borrowing.deserializeBorrowed(bytes);
      } catch (error) {
        throw undecodable(name, bytes, error);
      }
    },
    fromOwned: decodeOwned,
  };
}

function undecodable(name: string, bytes: Uint8Array, error: unknown): UnpicklingError {
  if (error instanceof UnpicklingError) return error;
  const text = `A message of ${bytes.length} bytes cannot be decoded (${name})${reason(error)}`;
  return new UnpicklingError(text, { cause: error });
}

function reason(error: unknown): string {
  return error instanceof Error ? `: ${error.message}` : '';
}
