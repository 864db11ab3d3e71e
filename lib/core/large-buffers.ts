// SPDX-License-Identifier: MIT
//
// The alignment of large messages in memory.
//
// Large allocations all begin at the same offset in a page, a few bytes behind its start, and the payload of a message
// in a pipe begins with a page, or 4 bytes behind its start. Some processors copy four to seventeen times more slowly
// (measured on an AMD EPYC) to a target that lies less than a cache line above its source, modulo the size of a page:
// they wait for stores that only look as if the next load needed them. So different kinds of large messages begin a
// cache line or more apart.

/** From about this size on, an allocation has pages of its own. */
const LARGE_BYTES = 128 * 1024;

/** Memory to which the kernel copies from its pages begins so many bytes later. */
const RECEIVED_OFFSET = 48;

/** Memory to which messages are copied, from memory as it is allocated or was received, begins so many bytes later. */
const COPIED_OFFSET = 112;

/** Uninitialised memory for a message that is received into it. It belongs to nothing else, as that of `ownCopy`. */
export function allocateReceived(size: number): Buffer {
  return size < LARGE_BYTES ? Buffer.allocUnsafeSlow(size) : allocateLarge(size, RECEIVED_OFFSET);
}

/** Uninitialised memory for a message that is made by copying. It is never written to again, and may be part of a pool. */
export function allocateCopied(size: number): Buffer {
  return size < LARGE_BYTES ? Buffer.allocUnsafe(size) : allocateLarge(size, COPIED_OFFSET);
}

function allocateLarge(size: number, offset: number): Buffer {
  return Buffer.allocUnsafeSlow(offset + size).subarray(offset);
}
