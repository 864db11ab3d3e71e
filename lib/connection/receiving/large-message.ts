// SPDX-License-Identifier: MIT
import { argumentError } from '../../core/errors.js';
import { allocateReceived } from '../../core/message-memory.js';
import { countBytes } from '../../event-loop/reactor.js';
import { native } from '../../native/addon.js';

const codes = native.status;

/** The memory of a message up to this length is allocated whole when the message is announced. */
const MOST_AT_ONCE = 4 * 1024 * 1024;

/** The memory of a longer message starts with this length, and grows to this multiple of what has arrived. */
const FIRST_BYTES = 1024 * 1024;
const GROWTH = 4;

/** The memory of a message that is too large for the native layer's own buffer, and arrives in parts. */
export class LargeMessage {
  #bytes: Buffer | undefined;
  /** How many bytes have arrived. */
  #have = 0;
  /** The length of the caller's memory, while the message is read into that; otherwise 0. */
  #borrowed = 0;
  /** Whether the caller's memory went away with a part of the message. */
  #lost = false;

  /** Sets the memory to that of a complete message. */
  use(bytes: Buffer | undefined): void {
    this.#bytes = bytes;
  }

  /** Sets the memory for a message about to arrive: that of the caller, which has room for all of it, if there is some. */
  borrow(bytes: Buffer | undefined): void {
    this.#bytes = bytes;
    this.#borrowed = bytes?.length ?? 0;
  }

  get begun(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Continues a message of `length` bytes. Returns `largeMessage` when it is complete, `again` when more is to come, or
   * a failure. The memory follows the bytes that have arrived, not the announced length: otherwise a header alone could
   * use up a gigabyte.
   *
   * @param read Reads into the memory, whose address it fetches anew, behind the bytes that have arrived. Returns how many
   *   there are now, or a failure.
   */
  fill(length: number, read: (bytes: Buffer) => number): number {
    this.#bytes ??= allocateReceived(length <= MOST_AT_ONCE ? length : FIRST_BYTES);
    for (;;) {
      const have = read(this.#bytes);
      if (have === codes.bufferChanged && this.#borrowed > 0) {
        this.detach();
        continue;
      }
      if (have < 0) return have;
      countBytes(have - this.#have);
      this.#have = have;
      if (have === length) return codes.largeMessage;
      if (have < this.#bytes.length) return codes.again;
      const grown = allocateReceived(Math.min(length, GROWTH * have));
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
  }

  /** Returns the message, which must be complete, and forgets it. Throws a TypeError if a part of it was lost. */
  take(): Buffer {
    const bytes = this.#bytes as Buffer;
    const lost = this.#lost;
    this.drop();
    if (lost) throw argumentError('type', 'buffer was detached or shrunk during the call, with a part of the message');
    return bytes;
  }

  /** Copies the message so far, so that it no longer uses memory of the caller. What has come stays for the next receive. */
  detach(): void {
    if (this.#borrowed === 0) return;
    const bytes = this.#bytes as Buffer;
    const own = allocateReceived(this.#borrowed);
    // Memory that was detached has no bytes any more.
    this.#lost = bytes.length < this.#borrowed;
    bytes.copy(own);
    this.#bytes = own;
    this.#borrowed = 0;
  }

  drop(): void {
    this.#bytes = undefined;
    this.#have = 0;
    this.#borrowed = 0;
    this.#lost = false;
  }
}
