// SPDX-License-Identifier: MIT
import { allocateReceived } from '../core/large-buffers.js';
import { native } from '../native/addon.js';

const codes = native.status;

/** The memory of a message up to this length is allocated whole when the message is announced. */
const MOST_AT_ONCE = 4 * 1024 * 1024;

/** The memory of a longer message starts with this length, and grows to this multiple of what has arrived. */
const FIRST_BYTES = 1024 * 1024;
const GROWTH = 4;

/** The memory of a message that is too large for the native layer's own buffer, and arrives in parts. */
export class LargeMessage {
  #bytes: Buffer | undefined;

  /** Sets the memory: that for a message about to arrive, or that of a complete message. */
  use(bytes: Buffer | undefined): void {
    this.#bytes = bytes;
  }

  get begun(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Continues a message of `length` bytes. Returns `largeMessage` when it is complete, `again` when more is to come, or
   * a failure. The memory follows the bytes that have arrived, not the announced length: otherwise a header alone could
   * use up a gigabyte.
   *
   * @param read Reads into the memory, behind the bytes that have arrived. Returns how many there are now, or a
   *   failure.
   */
  fill(length: number, read: (bytes: Buffer) => number): number {
    this.#bytes ??= allocateReceived(length <= MOST_AT_ONCE ? length : FIRST_BYTES);
    for (;;) {
      const have = read(this.#bytes);
      if (have === length) return codes.largeMessage;
      if (have < 0) return have;
      if (have < this.#bytes.length) return codes.again;
      const grown = allocateReceived(Math.min(length, GROWTH * have));
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
  }

  /** Returns the message, which must be complete, and forgets it. */
  take(): Buffer {
    const bytes = this.#bytes as Buffer;
    this.#bytes = undefined;
    return bytes;
  }

  /** Copies the message so far, so that it no longer uses memory of the caller. */
  detach(): void {
    if (this.#bytes !== undefined) this.#bytes = Buffer.from(this.#bytes);
  }

  drop(): void {
    this.#bytes = undefined;
  }
}
