// SPDX-License-Identifier: MIT
//
// A message of a value with objects of this package in it, between Node processes over a socket: the value taken apart, and
// behind it one descriptor for each that the objects need, as `sendHandle` sends them.
import { deserialize, serialize } from 'node:v8';

import { argumentError, UnpicklingError } from '../core/errors.js';
import { Cargo, takeFrom, type Giving, type Taking } from '../reduction/transfer.js';
import { checkInteger } from '../core/validate.js';
import type { SharedValue } from '../reduction/object-graph.js';

/** V8's own messages have the number of their format, which is not 0, in the second byte. */
const MARK = Buffer.of(0xff, 0);

/** How values are taken apart and put together. Filled in by giving-values.ts. */
export const packing = {} as {
  give(value: unknown, name: string, giving: Giving): SharedValue;
  take(shared: SharedValue, taking: Taking): unknown;
};

/** Whether a message in V8's format is one with objects of this package. It is in the first `length` bytes of `memory`. */
export function isParcel(memory: Uint8Array, length: number): boolean {
  return length > 1 && memory[0] === 0xff && memory[1] === 0;
}

/** A parcel on its way out. */
export interface Packed {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
  /** Nothing of it will arrive: what was taken along from Connections is put back. */
  failed(): void;
}

/** Reads a message that has arrived, in memory that may be kept. Fails as decoding any message does. */
export function readParcel(bytes: Uint8Array): Parcel {
  try {
    return new Parcel(bytes);
  } catch (error) {
    throw new UnpicklingError(
      `A message of ${bytes.length} bytes cannot be decoded (structured): ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Packs a value. Throws as `giveValue` does. */
export function pack(value: unknown): Packed {
  const cargo = new Cargo();
  try {
    const shared = packing.give(value, 'value', cargo);
    const bytes = Buffer.concat([MARK, serialize({ ...shared, descriptors: cargo.fds.length })]);
    return { bytes, fds: cargo.fds, failed: () => cargo.failed() };
  } catch (error) {
    cargo.failed();
    throw error;
  }
}

/** Puts together what has arrived. Fails as decoding any message does. */
export function openParcel(parcel: Parcel, fds: readonly number[]): unknown {
  try {
    return parcel.open(fds);
  } catch (error) {
    throw new UnpicklingError(`Objects in a message cannot be used here: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A parcel that has arrived, up to its descriptors. */
export class Parcel {
  readonly #shared: SharedValue;
  /** How many descriptors follow. */
  readonly descriptors: number;

  /** @param bytes The message. What is made of it refers to these bytes. */
  constructor(bytes: Uint8Array) {
    const content: unknown = deserialize(bytes.subarray(MARK.length));
    this.#shared = checkShared(content);
    const { descriptors } = content as { descriptors: unknown };
    checkInteger(descriptors, 'descriptors', 0, 0xffff);
    this.descriptors = descriptors;
  }

  /** Puts the value together. The descriptors are used up, also if that fails. */
  open(fds: readonly number[]): unknown {
    const taking = takeFrom(fds);
    try {
      return packing.take(this.#shared, taking);
    } finally {
      taking.closeRest();
    }
  }
}

/** Whether something that was received can be taken apart further; what it describes is looked at when it is attached. */
function checkShared(value: unknown): SharedValue {
  const { magic, objects, value: bytes } = (value ?? {}) as Partial<SharedValue>;
  const lists = Array.isArray(objects) && objects.length === 2 && objects.every(Array.isArray);
  if (magic instanceof Uint8Array && bytes instanceof Uint8Array && lists) return { magic, objects, value: bytes };
  throw argumentError('type', 'the message is not one of this package');
}
