// SPDX-License-Identifier: MIT
import { allocateCopied } from '../core/message-memory.js';

/** A message of which all but the first few bytes are still in the caller's memory. */
export class BorrowedBytes {
  readonly prefix: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(prefix: Uint8Array, bytes: Uint8Array) {
    this.prefix = prefix;
    this.bytes = bytes;
  }

  /** The whole message in memory of its own, for later. */
  copy(): Uint8Array {
    const whole = allocateCopied(this.prefix.length + this.bytes.length);
    whole.set(this.prefix);
    whole.set(this.bytes, this.prefix.length);
    return whole;
  }
}
