// SPDX-License-Identifier: MIT
import { Buffer } from 'node:buffer';

import { isNearlyAll, putBytes } from '../../../core/own-bytes.js';
import { ARRAY_TYPES, BUFFER, UINT8_ARRAY } from '../tags.js';

type View = new (buffer: ArrayBufferLike, offset?: number, length?: number) => ArrayBufferView;

/** Up to so many bytes are copied one by one, which takes less time than to make a view of them. */
const FEW_BYTES = 48;

/** Memory of at most this size may be remembered here: it is used for one message after the other. */
const SLAB_BYTES = 64 * 1024;

/** The memory that was read last, its ArrayBuffer and where it begins there: V8 fetches both by a slow way. */
let last: Uint8Array | undefined;
let lastBuffer: ArrayBufferLike | undefined;
let lastOffset = 0;

/** A part of a message, as a view. */
function partOf(memory: Uint8Array, from: number, length: number): Uint8Array {
  if (memory !== last) {
    if (memory.length > SLAB_BYTES) return new Uint8Array(memory.buffer, memory.byteOffset + from, length);
    last = memory;
    lastBuffer = memory.buffer;
    lastOffset = memory.byteOffset;
  }
  return new Uint8Array(lastBuffer as ArrayBufferLike, lastOffset + from, length);
}

/** Copies bytes of a message to an array. */
export function copyTo<T extends Uint8Array>(target: T, memory: Uint8Array, from: number): T {
  const { length } = target;
  if (length > FEW_BYTES) putBytes(target, partOf(memory, from, length), 0);
  else for (let i = 0; i < length; i++) target[i] = memory[from + i] as number;
  return target;
}

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
  const keeps = keep && isNearlyAll(size, memory.buffer.byteLength);
  if (!keeps) {
    if (type === BUFFER) return copyTo(Buffer.allocUnsafeSlow(size), memory, from);
    if (type === UINT8_ARRAY && size <= FEW_BYTES) return copyTo(new Uint8Array(size), memory, from);
  } else if (type === BUFFER) {
    return Buffer.from(memory.buffer, memory.byteOffset + from, size);
  }
  const Type = (globalThis as unknown as Record<string, View | undefined>)[ARRAY_TYPES[type] as string];
  if (Type === undefined) return undefined;
  const width = (Type as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const offset = memory.byteOffset + from;
  if (keeps && offset % width === 0) return new Type(memory.buffer, offset, size / width);
  return new Type(copyTo(Buffer.allocUnsafeSlow(size), memory, from).buffer, 0, size / width);
}
