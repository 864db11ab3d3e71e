// SPDX-License-Identifier: MIT
//
// The memory of what is received. Node takes the memory of short Buffers from a pool, so to transfer one would empty others,
// and to keep one would keep the whole pool.
import { allocateReceived } from './message-memory.js';

// V8 searches for it at each use, which takes a third as long as the copy of a short message.
const { set } = Uint8Array.prototype;

/** Copies bytes to an array, as `set` does. */
export function putBytes(target: Uint8Array, bytes: Uint8Array, at: number): void {
  set.call(target, bytes, at);
}

/**
 * A copy of bytes whose memory belongs to nothing else, at every length. Of all ways to make one this is the cheapest: up to
 * 64 bytes it costs less than a part of the pool.
 *
 * @param end Where the copy ends. Default: at the end of the bytes.
 */
export function ownCopy(bytes: Uint8Array, start = 0, end = bytes.length): Buffer {
  const copy = allocateReceived(end - start);
  putBytes(copy, end - start === bytes.length ? bytes : bytes.subarray(start, end), 0);
  return copy;
}

/** Whether a part of a message may keep the memory of the message: it is nearly all of it. Nothing else may refer to that. */
export function isNearlyAll(part: number, whole: number): boolean {
  return part > 0 && part >= (whole * 15) / 16;
}
