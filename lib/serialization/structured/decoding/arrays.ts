// SPDX-License-Identifier: MIT
import { ARRAY_TYPES, BUFFER } from '../tags.js';

type View = new (buffer: ArrayBufferLike, offset?: number, length?: number) => ArrayBufferView;

/** The constructor of Buffers over existing memory. */
const bufferAt = Buffer.from as (buffer: ArrayBufferLike, offset?: number, length?: number) => Buffer;

/** An array that fills at least this part of the message's memory keeps that memory, and nothing else refers to it. */
const MOST = 15 / 16;

/**
 * Makes an array from bytes of a message; undefined if there is no such array. It has an ArrayBuffer of its own: a
 * transfer of one array must not empty another one, and a small array that is kept must not keep the whole message.
 *
 * @param type Node's number for its type.
 * @param keep Whether an array that is nearly the whole memory may keep it.
 */
export function makeArray(
  type: number,
  memory: Uint8Array,
  from: number,
  size: number,
  keep: boolean,
): ArrayBufferView | undefined {
  const Type = (globalThis as unknown as Record<string, View | undefined>)[ARRAY_TYPES[type] as string];
  if (Type === undefined) return undefined;
  const width = (Type as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  if (size % width !== 0) return undefined;
  let buffer: ArrayBufferLike = memory.buffer;
  let offset = memory.byteOffset + from;
  if (!(keep && size > 0 && size >= buffer.byteLength * MOST && offset % width === 0)) {
    const copy = new Uint8Array(size);
    copy.set(memory.subarray(from, from + size));
    buffer = copy.buffer;
    offset = 0;
  }
  return type === BUFFER ? bufferAt(buffer, offset, size) : new Type(buffer, offset, size / width);
}
