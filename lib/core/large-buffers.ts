// SPDX-License-Identifier: MIT
//
// Where large messages lie in memory.
//
// Large allocations begin at the same place of a page, a few bytes behind its start, and the payload of a message in a pipe
// begins where a page does, or 4 bytes further. To a target that lies less than a cache line above its source, modulo the
// size of a page, some processors copy four to seventeen times more slowly (measured on an AMD EPYC): they wait for stores
// that only look as if the next load needed them. So different kinds of large messages are kept a cache line or more apart.

/** From about this size on allocations have pages of their own. */
const LARGE_BYTES = 128 * 1024;

/** The kernel copies to these, from its pages. */
const RECEIVED_LEAD = 48;

/** Messages are copied to these, from memory as it is allocated, or as it was received. */
const COPIED_LEAD = 112;

function allocate(size: number, lead: number): Buffer {
  return size < LARGE_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(lead + size).subarray(lead);
}

/** Memory for a message that is received into it, with anything in it. */
export function allocateReceived(size: number): Buffer {
  return allocate(size, RECEIVED_LEAD);
}

/** Memory for a message that is made by copying, with anything in it. */
export function allocateCopied(size: number): Buffer {
  return allocate(size, COPIED_LEAD);
}
