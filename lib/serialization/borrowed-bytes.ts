// SPDX-License-Identifier: MIT
import { allocateCopied } from '../core/large-buffers.js';

/** A message whose bytes, but for the first few, are still where the caller has them. */
export class LentBytes {
  readonly lead: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(lead: Uint8Array, bytes: Uint8Array) {
    this.lead = lead;
    this.bytes = bytes;
  }

  /** The whole message in memory of its own, for later. */
  copy(): Uint8Array {
    const whole = allocateCopied(this.lead.length + this.bytes.length);
    whole.set(this.lead);
    whole.set(this.bytes, this.lead.length);
    return whole;
  }
}
