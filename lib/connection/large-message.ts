// SPDX-License-Identifier: MIT
import { allocateReceived } from '../core/large-buffers.js';
import { native } from '../native/addon.js';

const codes = native.status;

/** A message up to this long gets all of its memory when it is announced. */
const MOST_AT_ONCE = 4 * 1024 * 1024;

/** A longer one starts with this much, and with each growth gets this many times what has arrived. */
const FIRST_BYTES = 1024 * 1024;
const GROWTH = 4;

/** The memory of a message that is too large for the native layer's own buffer, and arrives in parts. */
export class LargeMessage {
  #bytes: Buffer | undefined;

  /** Uses other memory for a message that is about to arrive, or a message that is whole already. */
  use(bytes: Buffer | undefined): void {
    this.#bytes = bytes;
  }

  get begun(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Goes on with a message of `length` bytes: `largeMessage` when it is whole, `again` when more is to come, or the failure.
   * The memory follows what has arrived and not what was announced, or a header could use up a gigabyte.
   *
   * @param read Reads into the memory, from where it stopped; how many bytes are there now, or a failure.
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

  /** Hands out the message, which is whole. */
  take(): Buffer {
    const bytes = this.#bytes as Buffer;
    this.#bytes = undefined;
    return bytes;
  }

  /** Goes on in memory of its own. */
  detach(): void {
    if (this.#bytes !== undefined) this.#bytes = Buffer.from(this.#bytes);
  }

  drop(): void {
    this.#bytes = undefined;
  }
}
