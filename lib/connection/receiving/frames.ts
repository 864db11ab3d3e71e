// SPDX-License-Identifier: MIT
//
// Small messages that were received together, as they were sent: each behind a header of four bytes. They are taken out one by
// one, without a call of the native layer.
import { allocateReceived } from '../../core/message-memory.js';
import { ownCopy } from '../../core/own-bytes.js';
import { native } from '../../native/addon.js';

/** The bytes of a header. */
export const HEADER_BYTES = 4;

/** Where the native layer puts the messages of all connections that hand out copies. */
const shared = Buffer.allocUnsafeSlow(native.aheadBytes);

/**
 * What `subarray` makes parts of a Buffer with. `Buffer.from` finds out first what it was given, which takes a third as long
 * as all else.
 */
const PartOf = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => Buffer;

/** The length of the message whose header begins there. None here is longer than two bytes can say. */
function lengthAt(memory: Buffer, at: number): number {
  return ((memory[at + 2] as number) << 8) | (memory[at + 3] as number);
}

/** Whose messages are in the shared memory. */
let tenant: Frames | undefined;

export class Frames {
  readonly #views: boolean;
  #memory: Buffer = shared;
  /** What the memory is a part of, and where it begins there: asked of a Buffer, both take longer than a copy of 64 bytes. */
  #buffer: ArrayBufferLike = shared.buffer;
  #offset = shared.byteOffset;
  #from = 0;
  #to = 0;

  /** @param views Whether `takeBytes` returns parts of this memory. Then it is not shared, and nothing is written twice there. */
  constructor(views: boolean) {
    this.#views = views;
    if (views) this.#from = this.#to = native.aheadBytes;
  }

  get empty(): boolean {
    return this.#from === this.#to;
  }

  /** The length of the next message, which must be there. */
  get length(): number {
    return lengthAt(this.#memory, this.#from);
  }

  /**
   * Lets `read` put messages into memory, from an offset on. Only while there are none.
   *
   * @returns What `read` has returned: how many bytes the messages take, or a failure.
   */
  fill(read: (memory: Buffer, offset: number) => number): number {
    const offset = this.#prepare();
    const size = read(this.#memory, offset);
    this.#from = offset;
    this.#to = offset + Math.max(0, size);
    return size;
  }

  /** The next message as bytes that belong to the caller. */
  takeBytes(): Buffer {
    if (this.#views) return this.takeBorrowed();
    const { length } = this;
    return this.#copy(this.#next(length), length);
  }

  /** The next message as a part of this memory, which may be used again when the next messages are received. */
  takeBorrowed(): Buffer {
    const { length } = this;
    return new PartOf(this.#buffer, this.#next(length), length);
  }

  /**
   * Adds messages that are here to a batch, as `takeBytes` returns them, up to one that is longer than `longest`.
   *
   * @param room A message that is longer than what is left of so many bytes is not added either.
   * @returns How many bytes they took, with their headers.
   */
  takeMany(batch: Uint8Array[], most: number, longest: number, room: number): number {
    const memory = this.#memory;
    const first = this.#from;
    while (this.#from < this.#to && batch.length < most) {
      const length = lengthAt(memory, this.#from);
      if (length > longest || length > room - (this.#from - first)) break;
      const start = this.#next(length);
      batch.push(this.#views ? new PartOf(this.#buffer, start, length) : this.#copy(start, length));
    }
    return this.#from - first;
  }

  #copy(start: number, length: number): Buffer {
    return ownCopy(new Uint8Array(this.#buffer, start, length));
  }

  /** Goes past the next message. Returns where it begins. */
  #next(length: number): number {
    const start = this.#from + HEADER_BYTES;
    this.#from = start + length;
    return this.#offset + start;
  }

  #use(memory: Buffer): void {
    this.#memory = memory;
    this.#buffer = memory.buffer;
    this.#offset = memory.byteOffset;
  }

  /** Takes out all messages, with their headers. */
  takeAll(): Buffer {
    const all = this.#memory.subarray(this.#from, this.#to);
    this.#from = this.#to;
    return all;
  }

  /** Returns where in the memory there is room. */
  #prepare(): number {
    if (this.#views) {
      if (native.aheadBytes - this.#to >= native.frameBytes) return this.#to;
      this.#use(allocateReceived(native.aheadBytes));
      return 0;
    }
    if (tenant !== this) {
      if (tenant !== undefined) tenant.#moveOut();
      // eslint-disable-next-line @typescript-eslint/no-this-alias
      tenant = this;
      this.#use(shared);
    }
    return 0;
  }

  /** Messages that are still to be taken go to memory of their own. */
  #moveOut(): void {
    if (this.empty) return;
    this.#use(Buffer.from(this.takeAll()));
    this.#from = 0;
    this.#to = this.#memory.length;
  }
}
