// SPDX-License-Identifier: MIT
//
// Values that contain objects of this package, in V8's format. Such an object makes the ordinary serialisation throw
// (see shareable.ts). Then the value is walked (see walk.ts): a stand-in replaces each such object, and the object's
// reduced form travels beside the value.
import { types } from 'node:util';

import { argumentError } from '../core/errors.js';
import { OwningDeserializer } from './owning-deserializer.js';
import { makeMagic, serializeWalked } from './walk.js';

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

/** Reads values that contain stand-ins. */
class GraphDeserializer extends OwningDeserializer {
  readonly #magic: Buffer;
  readonly #find: (number: number) => unknown;

  constructor({ magic, value }: ObjectGraph, find: (number: number) => unknown) {
    super(value, true);
    this.#magic = Buffer.from(magic);
    this.#find = find;
  }

  override _readHostObject(): unknown {
    const view = super._readHostObject();
    if (!types.isUint8Array(view) || view.length !== STAND_IN_BYTES) return view;
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
  add: (object: object, path: () => string) => number,
): Omit<ObjectGraph, 'objects'> & { readonly numbers: readonly number[] } {
  const magic = makeMagic(MAGIC_BYTES);
  const numbers: number[] = [];
  const bytes = serializeWalked(value, name, magic, (object, path) => {
    const standIn = Buffer.alloc(STAND_IN_BYTES);
    magic.copy(standIn);
    standIn.writeUInt32LE(numbers.length, MAGIC_BYTES);
    numbers.push(add(object, path));
    // Not a Buffer: Node copies a Buffer together with the rest of the memory that the Buffer is a part of.
    return new Uint8Array(standIn);
  });
  return { magic, numbers, value: bytes };
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
  if (types.isUint8Array(magic) && types.isUint8Array(bytes) && lists) return { magic, objects, value: bytes };
  throw argumentError('type', 'the message was not made by this package');
}
