// SPDX-License-Identifier: MIT
//
// The memory of messages: what owns it, whether it was used before, and where large messages begin in it.
//
// Received memory belongs to the message alone at every size, so that it can be transferred, and a small part that is kept
// keeps nothing else.
//
// Fresh memory costs the kernel more than a copy of the message: each page is cleared and mapped at its first use. So from the
// first large message on, the allocator keeps what was freed for later messages, where it can be told so. Elsewhere the kernel
// is asked for all pages at once, which costs half as much as a fault for each.
//
// Large allocations all begin at the same offset in a page, a few bytes behind its start, and the payload of a message
// in a pipe begins with a page, or 4 bytes behind its start. Some processors copy four to seventeen times more slowly
// (measured on an AMD EPYC) to a target that lies less than a cache line above its source, modulo the size of a page:
// they wait for stores that only look as if the next load needed them. So different kinds of large messages begin a
// cache line or more apart.

import { Buffer } from 'node:buffer';

import { native } from '../native/addon.js';
import { mayKeepFreedMemory } from '../native/settings.js';
import { whenIdle } from './idle.js';
import { perEnvironment } from './per-environment.js';

/** From this size on, memory is worth being kept. */
export const REUSED_BYTES = 64 * 1024;

/** From about this size on, an allocation has pages of its own. */
const LARGE_BYTES = 128 * 1024;

/** Memory to which the kernel copies from its pages begins so many bytes later. */
const RECEIVED_OFFSET = 48;

/** Memory to which messages are copied, from memory as it is allocated or was received, begins so many bytes later. */
const COPIED_OFFSET = 112;

const state = perEnvironment('message-memory', () => ({
  /** Whether the allocator keeps what was freed; undefined before the first large message. */
  keeps: undefined as boolean | undefined,
}));

/** Whether the allocator keeps what is freed from now on, until there were no large messages for some seconds. */
function keepFreed(): boolean {
  state.keeps ??= mayKeepFreedMemory() && native.keepFreedMemory() > 0;
  if (state.keeps) whenIdle(giveMemoryBack);
  return state.keeps;
}

/** To be called before the native layer copies a message of this size into memory of its own. */
export function prepareCopy(size: number): void {
  if (size >= LARGE_BYTES) keepFreed();
}

function allocateLarge(size: number, offset: number): Buffer {
  const keeps = keepFreed();
  const whole = Buffer.allocUnsafeSlow(offset + size);
  if (!keeps) native.populate(whole);
  return whole.subarray(offset);
}

/** What was freed in the middle of the heap is not at its end, and would stay. */
function giveMemoryBack(): boolean {
  native.trimMemory();
  return true;
}

/** Uninitialised memory of its own, for a message that is received into it. */
export function allocateReceived(size: number): Buffer {
  if (size < REUSED_BYTES) return Buffer.allocUnsafeSlow(size);
  return allocateLarge(size, size < LARGE_BYTES ? 0 : RECEIVED_OFFSET);
}

/** The same, as the whole of a buffer. */
export function allocateWhole(size: number): ArrayBuffer {
  return (size < LARGE_BYTES ? Buffer.allocUnsafeSlow(size) : allocateLarge(size, 0)).buffer as ArrayBuffer;
}

/** Uninitialised memory for a message that is made by copying, and is not handed out. */
export function allocateCopied(size: number): Buffer {
  return size < LARGE_BYTES ? Buffer.allocUnsafe(size) : allocateLarge(size, COPIED_OFFSET);
}
