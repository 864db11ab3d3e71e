// SPDX-License-Identifier: MIT
import { serialize } from 'node:v8';

import { Unsendable } from '../core/errors.js';
import { allocateCopied, copyReceived } from '../core/large-buffers.js';
import { isOrdinary } from '../reduction/ordinary.js';
import { OwningDeserializer } from '../reduction/owning-deserializer.js';
import { refuseShareable } from '../reduction/shareable.js';
import { makeMagic, serializeWalked } from '../reduction/walk.js';
import { BorrowedBytes } from './borrowed-bytes.js';
import type { Format } from './formats.js';

/**
 * What V8 writes before the length and the bytes of a Buffer. A Buffer that is the whole message is written and read
 * here: for a short one the way through V8 takes longer than everything else that is done for the message, and of a
 * long one V8 makes two copies.
 */
const BEFORE_BUFFER = serialize(Buffer.alloc(0)).subarray(0, -1);

/** The longest Buffer that is written here. Longer ones are left to V8 and its limits. */
const MOST_BYTES = 0x7fffffff;

/** From this length on a copy costs more than passing on two pieces. */
const BORROWED_BYTES = 16 * 1024;

function isPlainBuffer(value: unknown): value is Buffer {
  return value instanceof Buffer && value.length <= MOST_BYTES && Object.getPrototypeOf(value) === Buffer.prototype;
}

/** How many bytes the length takes: seven bits in each, the lowest first, with the eighth set in all but the last. */
function bytesOfLength(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
}

/** Writes what comes before the bytes of a Buffer. Returns how many bytes that are. */
function writePrefix(into: Buffer, length: number): number {
  into.set(BEFORE_BUFFER);
  let at = BEFORE_BUFFER.length;
  let left = length;
  for (; left >= 0x80; left >>>= 7) into[at++] = left | 0x80;
  into[at++] = left;
  return at;
}

function serializeBuffer(value: Buffer): Buffer {
  const bytes = allocateCopied(BEFORE_BUFFER.length + bytesOfLength(value.length) + value.length);
  bytes.set(value, writePrefix(bytes, value.length));
  return bytes;
}

/** A copy of the Buffer that a message consists of; undefined for any other message. */
function deserializeBuffer(bytes: Buffer): Buffer | undefined {
  let at = BEFORE_BUFFER.length;
  if (bytes.length <= at) return undefined;
  for (let i = 0; i < at; i++) if (bytes[i] !== BEFORE_BUFFER[i]) return undefined;
  let length = 0;
  // Borrowed memory is far below 2 ** 28 bytes.
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return bytes.length === at + length ? copyReceived(bytes.subarray(at)) : undefined;
  }
  return undefined;
}

/** The message of a large Buffer, without a copy of it; undefined for any other value. */
export function serializeBorrowed(value: unknown): BorrowedBytes | undefined {
  if (!isPlainBuffer(value) || value.length < BORROWED_BYTES) return undefined;
  const prefix = Buffer.allocUnsafe(BEFORE_BUFFER.length + bytesOfLength(value.length));
  writePrefix(prefix, value.length);
  return new BorrowedBytes(prefix, value);
}

function deserializeOwning(bytes: Buffer, keep: boolean): unknown {
  const buffer = keep ? undefined : deserializeBuffer(bytes);
  if (buffer !== undefined) return buffer;
  const deserializer = new OwningDeserializer(bytes, keep);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** The bytes of a value that V8 refuses, or does not carry as it is; or the error, with the path to its cause. */
function serializeOther(value: unknown): Buffer {
  return serializeWalked(value, 'value', makeMagic(16), refuseShareable);
}

function serializeValue(value: unknown): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = serialize(value);
  } catch (error) {
    // The caller may know another way for objects of this package.
    if (error instanceof Unsendable) throw error;
    return serializeOther(value);
  }
  return isOrdinary(value, bytes.length) ? bytes : serializeOther(value);
}

/** The structured clone algorithm in V8's own format: Map, Set, Date, typed arrays, cycles, BigInt and more. */
export const structured: Format = {
  encode: (value) => (isPlainBuffer(value) ? serializeBuffer(value) : serializeValue(value)),
  decode: deserializeOwning,
};
