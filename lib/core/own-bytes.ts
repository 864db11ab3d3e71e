// SPDX-License-Identifier: MIT
//
// The memory of what is received. Node takes the memory of short Buffers from a pool, so to transfer one would empty others,
// and to keep one would keep the whole pool.
import { allocateReceived } from './message-memory.js';

/**
 * A copy of bytes whose memory belongs to nothing else, at every length. Of all ways to make one this is the cheapest: up to
 * 64 bytes it costs less than a part of the pool.
 *
 * @param end Where the copy ends. Default: at the end of the bytes.
 */
export function ownCopy(bytes: Uint8Array, start = 0, end = bytes.length): Buffer {
  const copy = allocateReceived(end - start);
  copy.set(end - start === bytes.length ? bytes : bytes.subarray(start, end));
  return copy;
}

/** Whether a part of a message may keep the memory of the message: it is nearly all of it. Nothing else may refer to that. */
export function isNearlyAll(part: number, whole: number): boolean {
  return part > 0 && part >= (whole * 15) / 16;
}
