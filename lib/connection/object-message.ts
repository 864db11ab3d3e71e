// SPDX-License-Identifier: MIT
//
// A message of a value with objects of this package in it, between Node processes over a socket: the value taken apart, and
// behind it one descriptor for each that the objects need, as `sendHandle` sends them.
import { deserialize, serialize } from 'node:v8';

import { UnpicklingError } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { AttachedDescriptors, Attachments } from '../reduction/attachments.js';
import { checkGraph, type ObjectGraph } from '../reduction/object-graph.js';
import { rebuildValue, reduceValue } from '../reduction/reduce-value.js';

/** V8's own messages have the number of their format, which is not 0, in the second byte. */
const MARK = Buffer.of(0xff, 0);

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

/** Packs a value. Throws as `reduceValue` does. */
export function pack(value: unknown): Packed {
  const attachments = new Attachments();
  try {
    const graph = reduceValue(value, 'value', attachments);
    const bytes = Buffer.concat([MARK, serialize({ ...graph, descriptors: attachments.fds.length })]);
    return { bytes, fds: attachments.fds, failed: () => attachments.failed() };
  } catch (error) {
    attachments.failed();
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
  readonly #graph: ObjectGraph;
  /** How many descriptors follow. */
  readonly descriptors: number;

  /** @param bytes The message. What is made of it refers to these bytes. */
  constructor(bytes: Uint8Array) {
    const content: unknown = deserialize(bytes.subarray(MARK.length));
    this.#graph = checkGraph(content);
    const { descriptors } = content as { descriptors: unknown };
    checkInteger(descriptors, 'descriptors', 0, 0xffff);
    this.descriptors = descriptors;
  }

  /** Puts the value together. The descriptors are used up, also if that fails. */
  open(fds: readonly number[]): unknown {
    const attached = new AttachedDescriptors(fds);
    try {
      return rebuildValue(this.#graph, attached);
    } finally {
      attached.closeRest();
    }
  }
}
