// SPDX-License-Identifier: MIT
//
// How objects become bytes: finds the format of a channel and makes its codec. native/ moves bytes alone.
import { types } from 'node:util';

import { argumentError, MultiprocessingError, NotSupported, PicklingError, UnpicklingError } from '../core/errors.js';
import { isError } from '../core/realms.js';
import { ownCopy } from '../core/own-bytes.js';
import type { BuiltInSerialization, Format, FormatContext, PackUnpack, Serializer } from './format-types.js';
import { json } from './json.js';
import type { PickleFormat } from './pickle/serializer.js';
import { structured } from './structured/format.js';

/** A format whose errors are those of this package. */
export interface Codec {
  encode(value: unknown, context?: FormatContext): Uint8Array;
  /** As `MessageDecoder.fromBorrowed`. */
  fromBorrowed(memory: Buffer, length: number, context?: FormatContext): unknown;
  /** As `MessageDecoder.fromOwned`. */
  fromOwned(message: Buffer, context?: FormatContext): unknown;
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

/** A user's format, whose values may refer to the bytes that it is given. */
function formatOf(serializer: Serializer): Format {
  return {
    encode: (value) => serializer.serialize(value),
    decode(memory, length, keep) {
      const bytes = memory.subarray(0, length);
      return serializer.deserialize(keep ? bytes : ownCopy(bytes));
    },
  };
}

const registered = new Map<string, PickleFormat>();

/**
 * Makes a format known by its name, in the place of one that was registered under this name before. The format may load
 * what it needs when it is first used.
 */
export function registerFormat(name: 'pickle', format: PickleFormat): void {
  registered.set(name, format);
}

/** A format that `registerFormat` made known. */
export function registeredFormat(name: 'pickle'): PickleFormat {
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

/** Checks a `serialization` option, and finds or makes its codec. */
export function codecFor(serialization: unknown): Codec {
  if (serialization === 'structured' || serialization === 'json' || serialization === 'pickle') {
    return builtIn[serialization];
  }
  if (registered.get('pickle')?.includes?.(serialization) === true) return makeCodec('pickle', serialization);
  return makeCodec('custom', formatOf(findSerializer(serialization)));
}

/** The kind of format that a `serialization` option names. */
export function kindOf(serialization: unknown): BuiltInSerialization | 'custom' {
  if (registered.get('pickle')?.includes?.(serialization) === true) return 'pickle';
  return typeof serialization === 'string' ? (serialization as BuiltInSerialization) : 'custom';
}

function makeCodec(name: string, format: Format): Codec {
  const decode = (memory: Buffer, length: number, keep: boolean, context: FormatContext | undefined): unknown => {
    try {
      return format.decode(memory, length, keep, context);
    } catch (error) {
      if (error instanceof UnpicklingError) throw error;
      const text = `A message of ${length} bytes cannot be decoded (${name})${reason(error)}`;
      throw new UnpicklingError(text, { cause: error });
    }
  };
  return {
    encode(value, context) {
      let bytes: unknown;
      try {
        bytes = format.encode(value, context);
      } catch (error) {
        // An object of this package says in its own error why it cannot travel.
        if (error instanceof MultiprocessingError) throw error;
        throw new PicklingError(`The value cannot be serialised (${name})${reason(error)}`, { cause: error });
      }
      if (bytes instanceof Uint8Array) return bytes;
      // Of another realm.
      if (types.isUint8Array(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      throw new PicklingError('serialize(value) must return a Uint8Array');
    },
    fromBorrowed: (memory, length, context) => decode(memory, length, false, context),
    fromOwned: (message, context) => decode(message, message.length, true, context),
  };
}

function reason(error: unknown): string {
  return isError(error) ? `: ${error.message}` : '';
}
